import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { buildGoProgram, GO_BUILD_MS, goMissing } from "./helpers/go-program.ts";
import { type RunningPlatform, removeData, startPlatform } from "./helpers/platform.ts";
import { answering, makeRepository, removeRepository, stackOf } from "./helpers/repository.ts";
import { runWithInput } from "./helpers/run-with-input.ts";
import { until } from "./helpers/until.ts";

/** As of October 2021. */
const FAAS_CLI = {
  name: "faas-cli",
  package: "github.com/openfaas/faas-cli",
  version: "v0.0.0-20211012083206-08e3e965c831",
};

/** Answers its input and its secret. */
const BANNER = `#!/bin/bash
echo "banner: $(cat) $(cat "\${OPENFAAS_SECRETS:-/var/openfaas/secrets}"/* 2>/dev/null)"
`;

if (goMissing !== undefined) test.skip(`faas-cli is not tested: ${goMissing}`, () => {});
const peerTest = goMissing === undefined ? test.serial : test.skip;

let shared: { readonly program: string; readonly platform: RunningPlatform } | undefined;
test.before(async (t) => {
  t.timeout(GO_BUILD_MS);
  if (goMissing !== undefined) return;
  const program = await buildGoProgram(FAAS_CLI);
  const platform = await startPlatform({
    env: { queue_backend: "embedded", process_engine_runs_strangers_code: "true" },
  });
  shared = { program, platform };
});
test.after.always(async () => {
  await shared?.platform.stop();
  if (shared !== undefined) await removeData(shared.platform.dataFolder);
});

/** The client with a home of its own; logged in unless a test wants to do that. */
async function setUp(t: ExecutionContext, { login = true } = {}) {
  if (shared === undefined) throw new Error("peerTest only");
  const { program, platform } = shared;
  const home = await mkdtemp(join(tmpdir(), "ofc-faas-cli-"));
  t.teardown(() => rm(home, { recursive: true, force: true }));
  const options = {
    cwd: home,
    env: { PATH: process.env.PATH, HOME: home, OPENFAAS_URL: platform.url },
  };
  /** Its exit status, and its words; errors are on standard output there. */
  const run = async (args: readonly string[], input = "") => {
    const { code, out, error } = await runWithInput(program, args, input, options);
    return { code, said: `${out}${error}` };
  };
  const logIn = (password: string) => run(["login", "--password-stdin"], password);
  const readPassword = () =>
    readFile(join(platform.dataFolder, "secrets", "basic-auth-password"), "utf8");
  if (login) await logIn(await readPassword());
  /** It has to end well. */
  const cli = async (command: string, input = "") => {
    const { code, said } = await run(command.split(" "), input);
    t.is(code, 0, `${command}: ${said}`);
    return said;
  };
  const fails = async (command: string, input = "") => {
    const { code, said } = await run(command.split(" "), input);
    t.is(code, 1, `${command}: ${said}`);
    return said;
  };
  return { platform, program, options, home, logIn, readPassword, cli, fails };
}

/** An owner's functions `<name>-cart` and `<name>-banner`; the image of the latter. */
async function pushShop(t: ExecutionContext, name: string, extra = ""): Promise<string> {
  const { platform, cli } = await setUp(t);
  const repository = await makeRepository();
  t.teardown(() => removeRepository(repository));
  await repository.commit({
    "stack.yml": stackOf({ cart: { lang: "node24" }, banner: { lang: "bash", extra } }),
    "cart/handler.js": answering("one"),
    "banner/handler.sh": BANNER,
  });
  const { url } = JSON.parse(await platform.ofc("token", name, "--json")) as { url: string };
  const { ok, output } = await repository.push(`${url}/shop.git`);
  t.true(ok && /live in /.test(output), output);
  const listed = await cli("list --verbose");
  return new RegExp(`^${name}-banner\\s+(\\S+)`, "m").exec(listed)?.[1] ?? t.fail(listed);
}

peerTest("login takes the administrator's password, and no other", async (t) => {
  const { logIn, readPassword, cli, fails } = await setUp(t, { login: false });

  t.regex(await fails("list"), /Unauthorized access, run "faas-cli login"/);
  t.regex((await logIn("other")).said, /either username or password is incorrect/);
  t.regex((await logIn(await readPassword())).said, /credentials saved for admin/);
  await cli("list");
  await cli("logout");
  await fails("list");
});

peerTest("list and describe tell what a push deployed", async (t) => {
  const { platform, cli, fails } = await setUp(t);
  const image = await pushShop(t, "told");

  const listed = await cli("list --quiet");
  const described = await cli("describe told-banner");

  t.true(
    ["told-banner", "told-cart"].every((name) => listed.split("\n").includes(name)),
    listed,
  );
  t.regex(image, /^ofc\.local\/told\/shop\/banner:[0-9a-f-]+@sha256:[0-9a-f]{64}$/);
  t.regex(described, /^Status: +Ready$/m);
  t.regex(described, /^Available replicas: +1$/m);
  t.true(described.includes(`${platform.url}function/told-banner\n`), described);
  t.regex(described, /com\.openfaas\.cloud\.git-owner : told$/m);
  t.regex(await fails("describe nobody"), /No such function: nobody/);
});

peerTest("invoke calls by name and by name and namespace, at once and later", async (t) => {
  const { cli, fails } = await setUp(t);
  await pushShop(t, "called");

  t.is(await cli("invoke called-cart"), "one");
  t.regex(await cli("invoke called-banner", "tea"), /^banner: tea/);
  t.regex(await cli("invoke called-banner --namespace openfaas-fn", "tea"), /^banner: tea/);
  t.is(await cli("invoke called-cart --query a=b --header X-A=b --method GET"), "one");
  t.regex(
    await cli("invoke called-banner --async", "later"),
    /Function submitted asynchronously\./,
  );
  await until(async () => /^Invocations: +3$/m.test(await cli("describe called-banner")));
  t.regex(await fails("invoke nobody"), /404 - No such function: nobody/);
});

peerTest(
  "deploy makes, updates and replaces a function of an image, remove takes it",
  async (t) => {
    const { cli, fails } = await setUp(t);
    const image = await pushShop(t, "deployer");
    const deploy = `deploy --image ${image} --name by-hand`;

    t.regex(await cli(`${deploy} --label tea=green --annotation topic=tea`), /202 Accepted/);
    await until(async () => /^Status: +Ready$/m.test(await cli("describe by-hand")));
    t.regex(await cli("invoke by-hand", "mine"), /^banner: mine/);
    const described = await cli("describe by-hand");
    t.regex(described, /tea : green/);
    t.regex(described, /topic : tea/);
    t.regex(await cli(`${deploy} --env A=b`), /202 Accepted/);
    t.regex(
      await cli(`${deploy} --replace --update=false`),
      /Removing old function.*202 Accepted/s,
    );
    t.regex(await fails(`${deploy} --secret nothing`), /400.*nothing.*create it first/s);
    t.regex(await fails(`${deploy} --namespace other`), /400.*must be openfaas-fn/s);
    t.regex(await cli("remove by-hand"), /Removing old function/);
    t.regex(await fails("remove by-hand"), /No existing function to remove/);
  },
);

peerTest("deploy and remove take a stack file, with its variables", async (t) => {
  const { home, platform, cli } = await setUp(t);
  const image = await pushShop(t, "stacker");
  const stack = stackOf({ "from-file": { lang: "bash" } })
    .replace("http://127.0.0.1:8080", platform.url)
    .replace("from-file:latest", `\${NO_SUCH:-${image}}`);
  await writeFile(join(home, "stack.yml"), stack);

  t.regex(await cli("deploy --read-template=false"), /Deploying: from-file\..*202 Accepted/s);
  await until(async () => /^Status: +Ready$/m.test(await cli("describe from-file")));
  t.regex(await cli("invoke from-file", "tea"), /^banner: tea/);
  await cli("remove");
  t.notRegex(await cli("list --quiet"), /from-file/);
});

peerTest("secrets are made, listed, changed and removed, and a function reads them", async (t) => {
  const { home, cli, fails } = await setUp(t);
  await writeFile(join(home, "black"), "black\n");

  t.regex(await cli("secret create keeper-tea --from-literal=green"), /Created: 202/);
  await pushShop(t, "keeper", "    secrets: [tea]\n");

  t.regex(await cli("secret list"), /^keeper-tea$/m);
  t.is(await cli("invoke keeper-banner", "tea"), "banner: tea green\n");
  t.regex(await cli("secret create keeper-tea --from-literal=red"), /already exists/);
  t.regex(await cli("secret update keeper-tea --from-file=black"), /Updated: 202/);
  await until(async () => /tea black/.test(await cli("invoke keeper-banner", "tea")));
  t.regex(await cli("secret create spare --from-file=black"), /Created: 202/);
  t.regex(await cli("secret remove spare"), /OK/);
  t.notRegex(await cli("secret list"), /^spare$/m);
  t.regex(await fails("secret remove spare"), /Unable to find secret: spare/);
});

peerTest("logs come with a limit, as JSON, and while they are written", async (t) => {
  const { program, options, cli, fails } = await setUp(t);
  await pushShop(t, "talker");
  await cli("invoke talker-banner", "tea");

  const all = await cli("logs talker-banner --tail=false --since=10m --output=json");
  const last = await cli("logs talker-banner --tail=false --lines=1");
  const following = spawn(program, ["logs", "talker-banner", "--lines=1"], options);
  t.teardown(() => void following.kill());
  let followed = "";
  following.stdout.on("data", (chunk: Buffer) => (followed += chunk));
  await until(() => followed.includes("\n"));
  await cli("invoke talker-banner", "tea");
  await until(() => followed.includes("Forking"));

  const lines = all.trim().split("\n");
  t.true(lines.length >= 3, all);
  for (const line of lines)
    t.like(JSON.parse(line), { name: "talker-banner", namespace: "openfaas-fn" });
  t.is(last.trim().split("\n").length, 1, last);
  t.regex(await fails("logs nobody --tail=false"), /404/);
});

peerTest("version and namespaces tell what the platform is", async (t) => {
  const { cli, fails } = await setUp(t);

  const version = await cli("version --warn-update=false");

  t.regex(version, /name: +openfaas-cloud/);
  t.regex(version, /orchestration: +process/);
  t.is((await cli("namespaces")).trim(), "Namespaces:\n - openfaas-fn");
  t.regex(await fails("list --namespace other"), /400.*must be: openfaas-fn/s);
});
