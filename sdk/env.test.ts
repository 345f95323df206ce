import test from "ava";
import { addBelow, ConfigError, type Env, listSettings, readEnv } from "./env.ts";

test("every kind is read from the environment, and from its default where a name is absent", (t) => {
  const readAll = (env: Env) => {
    const read = readEnv(env);
    return read.done({
      text: read.text("build_branch", "main"),
      url: read.url("gateway_url", "http://127.0.0.1:8080"),
      milliseconds: read.milliseconds("write_timeout", "10s"),
      integer: read.integer("retries", 3, { min: 1, max: 5 }),
      boolean: read.boolean("use_checks", true),
      choice: read.choice("queue_backend", ["auto", "embedded"], "auto"),
    });
  };

  t.deepEqual(readAll({}), {
    text: "main",
    url: "http://127.0.0.1:8080/",
    milliseconds: 10_000,
    integer: 3,
    boolean: true,
    choice: "auto",
  });
  t.deepEqual(
    readAll({
      build_branch: "",
      gateway_url: "https://gateway.example.com/base/",
      write_timeout: "1m30s",
      retries: "5",
      use_checks: "0",
      queue_backend: "embedded",
    }),
    {
      text: "",
      url: "https://gateway.example.com/base/",
      milliseconds: 90_000,
      integer: 5,
      boolean: false,
      choice: "embedded",
    },
  );
});

test("one error names every unusable variable, what it holds and what was expected", (t) => {
  const read = readEnv({
    public_url: "gateway:8080",
    write_timeout: "soon",
    retries: "9",
    use_checks: "yes",
    queue_backend: "kafka",
  });
  read.text("owner_list");
  read.url("public_url");
  read.milliseconds("write_timeout", "10s");
  read.integer("retries", 3, { min: 1, max: 5 });
  read.boolean("use_checks", true);
  read.choice("queue_backend", ["auto", "embedded"], "auto");

  const error = t.throws(() => read.done({}), { instanceOf: ConfigError });

  t.is(
    error?.message,
    [
      "Configuration is not usable:",
      '  - owner_list is not set; add it under "environment" in gateway_config.yml',
      '  - public_url is "gateway:8080"; expected a URL such as "http://127.0.0.1:8080"',
      '  - write_timeout is "soon"; expected a duration such as "30s" or "15m", up to 596h',
      '  - retries is "9"; expected a whole number from 1 to 5',
      '  - use_checks is "yes"; expected true or false',
      '  - queue_backend is "kafka"; expected one of auto, embedded',
    ].join("\n"),
  );
});

test("a time to wait for is refused when no timer can wait that long, an age is not", (t) => {
  const env = { write_timeout: "597h", async_keep_dead: "8760h" };
  const read = readEnv(env);

  t.is(read.age("async_keep_dead", "168h"), 365 * 24 * 3_600_000);
  read.milliseconds("write_timeout", "10s");

  t.throws(() => read.done({}), { message: /write_timeout is "597h"; expected .* up to 596h$/ });
});

for (const text of ["", " 1", "1.5", "0x10", "1e3", "-1", "9007199254740993"]) {
  test(`${JSON.stringify(text)} is no whole number from 0 on`, (t) => {
    const read = readEnv({ limit: text });

    read.integer("limit", 1);

    t.throws(() => read.done({}), { message: /limit is "/ });
  });
}

test("a default that is not usable is a problem too", (t) => {
  const read = readEnv({});

  read.milliseconds("write_timeout", "a while");

  t.throws(() => read.done({}), { message: /write_timeout is "a while"/ });
});

test("settings of all readers of one environment are listed by name, each once", (t) => {
  const env: Env = { write_timeout: "15m" };
  readEnv(env).milliseconds("write_timeout", "10s");
  const other = readEnv(env);
  other.milliseconds("write_timeout", "10s");
  other.text("build_branch", "");

  t.deepEqual(listSettings(env), [
    { name: "build_branch", value: "", source: "default", fallback: "" },
    {
      name: "write_timeout",
      value: "15m",
      source: "environment",
      unit: "duration",
      fallback: "10s",
    },
  ]);
  t.deepEqual(other.settings.length, 2);
  t.deepEqual(listSettings({ write_timeout: "15m" }), []);
});

test("a layer below holds where nothing above names a value, and is told as the source", (t) => {
  const base: Env = { write_timeout: "15m" };
  readEnv(base).milliseconds("write_timeout", "10s");

  const file = addBelow(base, "github.yml", { write_timeout: "1m", use_checks: "true", a: "1" });
  const env = addBelow(file, "derived", { a: "2", b: "3" });
  const read = readEnv(env);

  t.is(read.milliseconds("write_timeout", "10s"), 900_000);
  t.true(read.boolean("use_checks", false));
  t.deepEqual([read.text("a"), read.text("b"), read.text("c", "4")], ["1", "3", "4"]);
  t.deepEqual(
    listSettings(env).map(({ name, source }) => [name, source]),
    [
      ["a", "github.yml"],
      ["b", "derived"],
      ["c", "default"],
      ["use_checks", "github.yml"],
      ["write_timeout", "environment"],
    ],
  );
  t.deepEqual(listSettings(base), listSettings(env));
});

test("a URL that holds a secret is neither listed nor told in an error", (t) => {
  const good = { slack_url: "https://hooks.example.com/T0/B0/canary" };
  const read = readEnv(good);

  t.is(read.secretUrl("slack_url"), good.slack_url);
  t.false(JSON.stringify(listSettings(good)).includes("canary"));

  const bad = readEnv({ slack_url: "canary" });
  bad.secretUrl("slack_url");

  const error = t.throws(() => bad.done({}), { message: /slack_url is not a URL/ });
  t.false(error.message.includes("canary"));
});
