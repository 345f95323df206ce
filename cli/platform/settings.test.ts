import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { ConfigError, type Env, listSettings } from "#sdk/env.ts";
import { variablesInReadme } from "../../test/helpers/variables.ts";
import { readSettings, withEngine, withPublicUrls } from "./settings.ts";

async function setUp(t: ExecutionContext, files: Readonly<Record<string, string>> = {}) {
  const folder = await mkdtemp(join(tmpdir(), "settings-"));
  t.teardown(() => rm(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return { folder, read: (environment: Env = {}) => readSettings(folder, environment) };
}

test("without files and environment every setting has its default", async (t) => {
  const { read } = await setUp(t);

  t.deepEqual(await read(), {
    env: {},
    rootDomain: "localhost",
    strangersAllowed: false,
    githubAppId: 0,
    githubApiUrl: "https://api.github.com/",
    queueBackend: "auto",
    redisUrl: undefined,
    drainMs: 8_000,
  });
});

test("the environment is over github.yml, which is over gateway_config.yml", async (t) => {
  const { read } = await setUp(t, {
    "gateway_config.yml":
      "environment:\n  root_domain: files.example\n  drain_timeout: 1m\n  github_app_id: 1\n",
    "github.yml": "environment:\n  github_app_id: 2\n  drain_timeout: 2m\n",
  });

  const settings = await read({ drain_timeout: "3m" });

  t.is(settings.rootDomain, "files.example");
  t.is(settings.githubAppId, 2);
  t.is(settings.drainMs, 180_000);
  t.like(settings.env, { root_domain: "files.example", github_app_id: "2", drain_timeout: "3m" });
  const sources = listSettings(withPublicUrls(settings, "http://127.0.0.1:8080/").env).map(
    ({ name, source }) => [name, source],
  );
  t.like(Object.fromEntries(sources), {
    root_domain: "gateway_config.yml",
    github_app_id: "github.yml",
    drain_timeout: "environment",
    queue_backend: "default",
  });
});

for (const text of ["", "# all of it\n", "environment:\n", "environment:\n  # a: b\n"]) {
  test(`a file of ${JSON.stringify(text)} sets nothing`, async (t) => {
    const { read } = await setUp(t, { "github.yml": text });

    t.deepEqual((await read()).env, {});
  });
}

test("a value is a text whatever YAML would make of it", async (t) => {
  const { read } = await setUp(t, {
    "gateway_config.yml": "environment:\n  a: 010\n  b: yes\n  c: ~\n  d: 1_000\n",
  });

  t.like((await read()).env, { a: "010", b: "yes", c: "~", d: "1_000" });
});

test("the process engine takes strangers in by the switch that says what it risks, Docker does anyway", async (t) => {
  const { read } = await setUp(t);
  const intakeOf = async (env: Env, kind: "process" | "docker") => {
    const { strangersAllowed, env: given } = withEngine(await read(env), kind);
    return [strangersAllowed, given.github_intake];
  };

  t.deepEqual(await intakeOf({}, "process"), [false, "false"]);
  t.deepEqual(await intakeOf({ process_engine_runs_strangers_code: "true" }, "process"), [
    true,
    "true",
  ]);
  t.deepEqual(await intakeOf({ github_intake: "true" }, "process"), [false, "true"]);
  t.deepEqual(await intakeOf({}, "docker"), [true, "true"]);
  t.deepEqual(await intakeOf({ github_intake: "false" }, "docker"), [true, "false"]);
});

for (const [what, text, said] of [
  ["that is no YAML", "environment: [", /is not YAML/],
  ["with tabs", "environment:\n\ta: b\n", /is not YAML/],
  ["without environment", "a: b\n", /received undefined\n.*at environment/],
  ["with a list", "environment:\n  - a=b\n", /expected "environment:"/],
  ["with a nested value", "environment:\n  a:\n    b: c\n", /environment\.a/],
] as const) {
  for (const name of ["gateway_config.yml", "github.yml"]) {
    test(`a ${name} ${what} is refused by its path`, async (t) => {
      const { folder, read } = await setUp(t, { [name]: text });

      const error = await t.throwsAsync(read());

      t.true(error?.message.startsWith(join(folder, name)), error?.message);
      t.regex(error?.message ?? "", said);
    });
  }
}

test("every wrong value is named at once", async (t) => {
  const { read } = await setUp(t);

  const error = await t.throwsAsync(
    read({
      drain_timeout: "soon",
      queue_backend: "kafka",
      process_engine_runs_strangers_code: "si",
    }),
    { instanceOf: ConfigError },
  );

  t.regex(error?.message ?? "", /process_engine_runs_strangers_code is "si"/);
  t.regex(error?.message ?? "", /queue_backend is "kafka"/);
  t.regex(error?.message ?? "", /drain_timeout is "soon"/);
});

test("the README has a line for every variable that is read", async (t) => {
  const { read } = await setUp(t);
  const { env } = await read();
  const documented = await variablesInReadme("cli");

  const names = listSettings(env).map(({ name }) => name);

  t.true(names.length >= 6);
  t.deepEqual(
    names.filter((name) => !documented.includes(name)),
    [],
  );
});

test("public URLs follow the gateway's, unless a setting says otherwise", async (t) => {
  const { read } = await setUp(t);
  const settings = await read();
  const named = await read({ gateway_public_url: "https://cloud.example.com/" });

  t.like(withPublicUrls(settings, "http://127.0.0.1:8081/").env, {
    gateway_public_url: "http://127.0.0.1:8081/",
    gateway_pretty_url: "http://user.localhost:8081/function/",
  });
  t.is(
    withPublicUrls(settings, "http://127.0.0.1/").env.gateway_pretty_url,
    "http://user.localhost/function/",
  );
  t.is(
    withPublicUrls(named, "http://127.0.0.1:8081/").env.gateway_public_url,
    "https://cloud.example.com/",
  );
});
