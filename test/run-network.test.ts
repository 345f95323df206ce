import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import test, { type ExecutionContext } from "ava";
import { type BuildReach, openBuildNetwork } from "#provider/docker/open-build-network.ts";
import { listen } from "#provider/docker/test-kit.ts";
import { silentLog } from "#sdk/log.ts";
import { findTemplate, readTemplates } from "#sdk/templates.ts";
import { parseBuildkitAddress } from "../builder/buildkit/address.ts";
import { logOf, packImage, startImageBuilder } from "../builder/image/test-image-builder.ts";
import { PACKAGE } from "./helpers/outside-server.ts";
import { dockerMissing, startDocker, type TestDocker } from "./helpers/start-docker.ts";
import { type Outside, startOutside } from "./helpers/start-outside.ts";
import { until } from "./helpers/until.ts";

const BASE = "ofc.test/node:24";
const HAS_IPV6 = existsSync("/proc/net/if_inet6");
const run = promisify(execFile);

const dockerTest = dockerMissing === undefined ? test.serial : test.serial.skip;
if (dockerMissing !== undefined)
  test.skip(`what RUN reaches is not tested: ${dockerMissing}`, () => {});

const ends: (() => Promise<void>)[] = [];
const teardown = (end: () => Promise<void>) => void ends.push(end);
let shared: { readonly docker: TestDocker; readonly bridge: string; readonly outside: Outside };

test.before(async () => {
  if (dockerMissing !== undefined) return;
  const docker = await startDocker({ teardown });
  await docker.importBase(BASE, ["node"]);
  const bridge = `ofcd-${docker.gateway.split(".")[1]}`;
  shared = { docker, bridge, outside: await startOutside({ teardown }, bridge) };
});

test.after.always(async () => {
  for (const end of ends.toReversed()) await end();
});

dockerTest(
  "with rules RUN reaches the internet and nothing of this machine or its neighbours",
  async (t) => {
    const { outside } = shared;
    const places = await listPlaces(t);
    const { network, words } = await open(t, "internet");

    const reached = await knockFromRun(t, network, { ...places, ...outside });

    t.deepEqual(reached, ["internet"]);
    t.is(words, "RUN reaches the internet, but not this machine and no private address");
  },
);

dockerTest(
  "without rules RUN reaches all of these, so that the test above means something",
  async (t) => {
    const { outside } = shared;
    const places = await listPlaces(t);
    const { network } = await open(t, "open");

    const reached = await knockFromRun(t, network, { ...places, ...outside });

    t.deepEqual(reached, Object.keys({ ...places, ...outside }).toSorted());
  },
);

dockerTest(
  "a function with a package of npm is built from the template, with a network only",
  async (t) => {
    await shared.docker.importBase("node:24-alpine", ["node", "npm"]);
    const { outside } = shared;
    const { network } = await open(t, "internet");

    const built = await buildWithPackage(t, network, outside.internet);
    const failed = await buildWithPackage(t, "none", outside.internet);

    t.is(built?.status, "success", built?.error);
    t.regex(
      failed?.error ?? "",
      /^Step ".* RUN if .* \(RUN has no network here: build_network\)$/s,
    );
  },
);

dockerTest("a RUN without a network reaches nothing, and holds no socket of Docker", async (t) => {
  const { outside } = shared;
  const places = await listPlaces(t);
  const { network, words } = await open(t, "none");

  const reached = await knockFromRun(t, network, { ...places, ...outside });

  t.deepEqual(reached, []);
  t.is(words, "RUN has no network: build_network=none");
});

dockerTest(
  "a platform that sets no rules for functions sets none for builds, unless asked",
  async (t) => {
    const auto = await open(t, "auto", { setsRules: false });
    const rules = await listOurRules();
    const asked = await open(t, "internet", { setsRules: false });

    t.deepEqual([auto.network, rules, asked.network], ["none", [], "default"]);
    t.regex(auto.words, /function_firewall=none sets no rules; build_network=internet does$/);
  },
);

dockerTest("what an operator lists is reached besides", async (t) => {
  const { outside } = shared;
  const { network } = await open(t, "auto", { egressAllow: [`${outside.local}:80`] });

  t.deepEqual(await knockFromRun(t, network, { ...outside }), ["internet", "local"]);
  await t.throwsAsync(open(t, "auto", { egressAllow: ["example.org"] }), {
    message: /^build_egress_allow holds "example\.org"; expected 10\.1\.2\.3, /,
  });
});

dockerTest(
  "containers of somebody else on the default bridge keep their ways, and RUN gets none",
  async (t) => {
    const container = await startNeighbour(t, "operators-own");

    const { network, words } = await open(t, "auto");

    t.is(network, "none");
    t.regex(
      words,
      /^RUN has no network: the container operators-own on Docker's default bridge would lose /,
    );
    t.deepEqual(await listOurRules(), []);
    await container.remove({ force: true });
    t.is((await open(t, "auto")).network, "default");
  },
);

dockerTest("rules that something else has flushed are put back", async (t) => {
  const { outside } = shared;
  const { network } = await open(t, "auto", { checkMs: 300 });
  const [chain = ""] = (await listOurRules()).filter((rule) => /^-N .*-FW$/.test(rule));

  await run("iptables", ["--wait", "-F", chain.slice("-N ".length)]);

  await until(
    async () => (await listOurRules()).filter((rule) => rule.startsWith("-A OFC-")).length > 10,
    60_000,
  );
  t.deepEqual(await knockFromRun(t, network, { ...outside }), ["internet"]);
});

dockerTest(
  "the rules go with the platform, those of one that was killed with the next",
  async (t) => {
    const folder = await makeFolder(t);
    const killed = await open(t, "auto", {}, folder);
    const before = await listOurRules();
    const before6 = await listOurRules("ip6tables");

    const next = await open(t, "none", {}, folder);

    t.true(before.length > 10);
    // Root in a RUN may write packets of IPv6 itself.
    t.is(before6.filter((rule) => rule.endsWith(" -j DROP")).length, HAS_IPV6 ? 2 : 0);
    t.deepEqual(await listOurRules(), []);
    t.deepEqual(await listOurRules("ip6tables"), []);
    t.deepEqual([killed.network, next.network], ["default", "none"]);
  },
);

/** What this file's dockerd decides for a platform of its own. */
async function open(
  t: ExecutionContext,
  reach: BuildReach,
  more: Partial<Parameters<typeof openBuildNetwork>[0]> = {},
  folder?: string,
) {
  const dataFolder = folder ?? (await makeFolder(t));
  const dockerHost = `unix://${shared.docker.socketPath}`;
  const opened = await openBuildNetwork({
    ...{ dataFolder, dockerHost, reach, egressAllow: [], log: silentLog },
    ...more,
  });
  t.teardown(opened.close);
  return opened;
}

async function makeFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "ofc-run-"));
  t.teardown(() => rm(folder, { recursive: true }));
  return folder;
}

/** Addresses by name that a `RUN` must not reach: this machine's, and a container beside it. */
async function listPlaces(t: ExecutionContext): Promise<Record<string, string>> {
  const port = await listen(
    t,
    createServer((_, answer) => answer.end("here")),
    "0.0.0.0",
  );
  // Bridges come and go with the tests beside this one.
  const own = Object.entries(networkInterfaces())
    .filter(([name]) => !/^(ofc|br-|docker|veth)/.test(name))
    .flatMap(([, addresses = []]) => addresses)
    .filter((one) => one.family === "IPv4" && !one.internal);
  const neighbour = await startNeighbour(t);
  const { NetworkSettings } = await neighbour.inspect();
  return {
    bridge: `${shared.docker.gateway}:${port}`,
    ...Object.fromEntries(own.map((one, index) => [`own-${index}`, `${one.address}:${port}`])),
    container: `${NetworkSettings.Networks.bridge?.IPAddress}:80`,
  };
}

/** A container on the default bridge that serves on port 80. */
async function startNeighbour(t: ExecutionContext, name?: string) {
  const container = await shared.docker.api.createContainer({
    ...(name === undefined ? {} : { name }),
    Image: BASE,
    Cmd: ["node", "-e", "require('http').createServer((_, a) => a.end('next')).listen(80)"],
  });
  t.teardown(() => container.remove({ force: true }).catch(() => {}));
  await container.start();
  const { NetworkSettings } = await container.inspect();
  const url = `http://${NetworkSettings.Networks.bridge?.IPAddress}/`;
  await until(
    () =>
      fetch(url).then(
        (answer) => answer.ok,
        () => false,
      ),
    60_000,
  );
  return container;
}

/** Names of the places whose servers a `RUN` reaches, in order. */
async function knockFromRun(
  t: ExecutionContext,
  network: "none" | "default",
  places: Readonly<Record<string, string>>,
): Promise<string[]> {
  const { build } = await startImageBuilder(t, addressOf(shared.docker), { images: { network } });
  const script = `
    const { connect } = require("net");
    for (const [name, to] of Object.entries(${JSON.stringify(places)})) {
      const [host, port = 80] = to.split(":");
      const socket = connect({ host, port }, () => { console.log("REACHED " + name + "."); socket.destroy(); });
      socket.on("error", () => {});
      setTimeout(() => socket.destroy(), 3000);
    }
    if (require("fs").existsSync("/var/run/docker.sock")) console.log("REACHED docker.sock.");`;
  const files = {
    Dockerfile: `FROM ${BASE}\nCOPY knock.cjs /\nRUN node /knock.cjs && echo ${Math.random()}\n`,
    "knock.cjs": script,
  };
  const lines = await build(await packImage(files));
  t.is(lines.at(-1)?.status, "success", lines.at(-1)?.error);
  return [...logOf(lines).matchAll(/^REACHED (\S+)\.$/gm)].map(([, name = ""]) => name).toSorted();
}

/** The last line of a build of the template node24 whose function needs a package of the registry `host`. */
async function buildWithPackage(t: ExecutionContext, network: "none" | "default", host: string) {
  const { build } = await startImageBuilder(t, addressOf(shared.docker), { images: { network } });
  const template = findTemplate(await readTemplates(), "node24");
  const files = (template?.files ?? []).map(({ path, content }) => [path, content.toString()]);
  const tar = await packImage({
    ...Object.fromEntries(files),
    "function/handler.js": `module.exports = async () => require("${PACKAGE}");`,
    "function/package.json": JSON.stringify({ dependencies: { [PACKAGE]: "1.0.0" } }),
    // Without its patience: where there is no network there is none later.
    "function/.npmrc": `registry=http://${host}/\nfetch-retries=0\n`,
  });
  return (await build(tar)).at(-1);
}

function addressOf({ socketPath }: TestDocker) {
  return parseBuildkitAddress(`docker-unix://${socketPath}`);
}

/** Rules for this file's bridge, and chains that are for builds. */
async function listOurRules(program = "iptables"): Promise<string[]> {
  if (program === "ip6tables" && !HAS_IPV6) return [];
  const { stdout } = await run(program, ["--wait", "-S"]);
  const chains = [...stdout.matchAll(new RegExp(`-i ${shared.bridge} -j (\\S+)-\\w+$`, "gm"))].map(
    ([, chain]) => chain,
  );
  return stdout.split("\n").filter((rule) => chains.some((chain) => rule.includes(`${chain}-`)));
}
