import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chown, mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import test, { type ExecutionContext } from "ava";
import { dockerMissing, startDocker } from "../../test/helpers/start-docker.ts";
import { call } from "../contract/contract-kit.ts";
import { eventually } from "../test-kit.ts";
import { gatewayOf } from "./addresses.ts";
import { applyFirewall, type RunIptables } from "./apply-firewall.ts";
import { connectDocker } from "./connect-docker.ts";
import { formatFirewall } from "./firewall-rules.ts";
import { runInside } from "./run-iptables.ts";
import { defaultSettings, type Settings } from "./settings.ts";
import {
  BASE_IMAGE,
  buildTestFunction,
  listen,
  openUnderTest,
  removeRules,
  shareDocker,
} from "./test-kit.ts";

const run = promisify(execFile);

if (dockerMissing === undefined) {
  const { docker, image } = shareDocker(test, startDocker);

  test("a function is nobody, has no rights, and writes nowhere but to its /tmp", async (t) => {
    const { engine } = await setUp(t);
    await engine.createSecret({ name: "token", value: Buffer.from("x") });
    await engine.deploy({ service: "fn", image: image(), secrets: ["token"] });
    const ask = (path: string) => call(engine, "fn", path);

    const status = await ask("/read?path=/proc/self/status");

    for (const line of [
      /^Uid:\s+65534\s+65534\s+65534\s+65534$/m,
      /^Gid:\s+65534\s+65534\s+65534\s+65534$/m,
      /^CapBnd:\s+0+$/m,
      /^CapEff:\s+0+$/m,
      /^NoNewPrivs:\s+1$/m,
      /^Seccomp:\s+2$/m,
    ])
      t.regex(status, line);
    t.is(await ask("/write?path=/home/app/main.mjs"), "EROFS");
    t.is(await ask("/write?path=/var/openfaas/secrets/token"), "EROFS");
    t.is(await ask("/write?path=/tmp/x"), "done");
    t.is(await ask("/read?path=/var/openfaas/secrets/token"), "x");
    t.is(await ask("/list?path=/var/run"), "ENOENT");
    // Newer engines leave the loopback's.
    t.regex(await ask("/read?path=/proc/net/if_inet6"), /^(0{31}1 .* lo\n)?$/);
  });

  test("an image's own user is kept when it is a number that is not root's", async (t) => {
    const { engine } = await setUp(t);
    const users: string[] = [];

    for (const user of ["1000", "0:0", "root"]) {
      const own = await buildTestFunction(docker().api, BASE_IMAGE, [`USER ${user}`]);
      await engine.deploy({ service: "fn", image: own });
      users.push(JSON.parse(await call(engine, "fn", "/who")).uid);
    }

    t.deepEqual(users, [1_000, 65_534, 65_534]);
  });

  test("a HEALTHCHECK of an image is never run: it would cost a process every few seconds", async (t) => {
    const { engine } = await setUp(t);
    const { api } = docker();
    const checked = await buildTestFunction(api, BASE_IMAGE, ["HEALTHCHECK CMD node --version"]);

    await engine.deploy({ service: "fn", image: checked });

    const [, digest = ""] = checked.split("@");
    const [started] = await api.listContainers({ filters: { ancestor: [digest] } });
    const { State } = await api.getContainer(started?.Id ?? "").inspect();
    t.is(State.Health, undefined);
  });

  test("a function reaches no other function, not this machine, and no metadata address", async (t) => {
    const { engine, subnet } = await setUp(t);
    const server = createTcpServer();
    const open = await listen(t, server, "0.0.0.0");
    await engine.deploy({ service: "one", image: image() });
    await engine.deploy({ service: "other", image: image() });
    const [endpoint = ""] =
      engine.endpoints().find(({ name }) => name === "other")?.endpoints ?? [];
    const { hostname, port } = new URL(endpoint);
    const knock = (host: string, at: number | string) =>
      call(engine, "one", `/knock?host=${host}&port=${at}`);

    const answers = await Promise.all([
      knock(hostname, port),
      knock(gatewayOf(subnet), open),
      knock("169.254.169.254", 80),
    ]);

    t.false(answers.includes("open"), answers.join());
    t.is(await call(engine, "other", "/"), "");
  });

  test("without rules a function reaches this machine's open ports, as the README says", async (t) => {
    const { engine, subnet } = await setUp(t, { firewall: "none" });
    const open = await listen(t, createTcpServer(), "0.0.0.0");
    await engine.deploy({ service: "fn", image: image() });

    t.is(await call(engine, "fn", `/knock?host=${gatewayOf(subnet)}&port=${open}`), "open");
    t.not(await call(engine, "fn", "/knock?host=169.254.169.254&port=80"), "open");
  });

  test("rules that something else has flushed are put back", async (t) => {
    const { engine, subnet } = await setUp(t, { firewallCheckMs: 300 });
    const open = await listen(t, createTcpServer(), "0.0.0.0");
    await engine.deploy({ service: "fn", image: image() });
    const [bridge] = (await docker().api.listNetworks()).filter(({ IPAM }) =>
      IPAM?.Config?.some(({ Subnet }) => Subnet === subnet),
    );
    const chain = (bridge?.Name ?? "").replace("ofc-", "OFC-");

    for (const part of ["IN", "FW"]) await run("iptables", ["--wait", "-F", `${chain}-${part}`]);

    const knock = () => call(engine, "fn", `/knock?host=${gatewayOf(subnet)}&port=${open}`);
    t.is(await eventually(knock, "silent"), "silent");
  });

  test("gateway:8080 is the gateway's public routes and nothing else of it", async (t) => {
    const heard: IncomingMessage[] = [];
    const gateway = createServer((request, answer) => {
      heard.push(request);
      answer.writeHead(201, { "x-by": "gateway" });
      request.pipe(answer);
    });
    const url = `http://127.0.0.1:${await listen(t, gateway)}/`;
    const { engine } = await setUp(t, {}, url);
    await engine.deploy({ service: "fn", image: image() });
    const ask = (path: string) =>
      call(engine, "fn", `/fetch?url=${encodeURIComponent(`http://gateway:8080${path}`)}`);

    const answers = await Promise.all(
      ["/function/cart?x=1", "/healthz", "/system/functions", "/function/x.openfaas-system"].map(
        ask,
      ),
    );

    t.deepEqual(
      answers.map((text) => text.slice(0, 3)),
      ["201", "201", "404", "404"],
    );
    t.deepEqual(heard.map(({ url: path }) => path).toSorted(), ["/function/cart?x=1", "/healthz"]);
    t.true(heard.every(({ headers }) => headers.host === new URL(url).host));
  });

  test("a function that needs more memory than its limit is ended, and the reason is told", async (t) => {
    const { engine } = await setUp(t);
    await engine.deploy({ service: "fn", image: image(), limits: { memory: "96Mi" } });

    await t.throwsAsync(call(engine, "fn", "/grow?mb=200"));

    const problem = async () => (await engine.status("fn"))?.problem ?? "";
    const isTold = (text: unknown) => String(text).includes("memory (100663296 bytes)");
    t.regex(await eventually(problem, isTold), /ran out of its memory/);
  });

  test("a function that starts processes without end gets no more than its limit", async (t) => {
    const { engine } = await setUp(t, { processLimit: 40 });
    await engine.deploy({ service: "fn", image: image() });

    const started = Number(await call(engine, "fn", "/crowd?count=80"));

    t.true(started > 0 && started < 40, `${started}`);
    t.is(await call(engine, "fn", "/"), "");
  });

  test("limits that are no quantities or too high are refused before anything changes", async (t) => {
    const { engine } = await setUp(t);

    for (const limits of [{ memory: "much" }, { cpu: "-1" }, { memory: "3Gi" }])
      await t.throwsAsync(engine.deploy({ service: "fn", image: image(), limits }), {
        code: "invalid",
        message: /limits\.(memory|cpu) is "/,
      });

    t.deepEqual(await engine.list(), []);
  });

  test("a runtime that dockerd does not have is refused with those that it has", async (t) => {
    const settings = { ...defaultSettings, ociRuntime: "runsc" };

    const connecting = connectDocker(`unix://${docker().socketPath}`, settings);

    await t.throwsAsync(connecting, { message: /no runtime "runsc", only .*runc.*daemon\.json/ });
  });

  test("whoever may use Docker's socket only can have rules set, too", async (t) => {
    const api = await connectDocker(`unix://${docker().socketPath}`, defaultSettings);
    const folder = await mkdtemp(join(tmpdir(), "ofc-rules-"));
    t.teardown(() => rm(folder, { recursive: true }));
    const runIptables: RunIptables = (program, args) => runInside(api, folder, program, args);
    const platform = randomBytes(4).toString("hex");
    const firewall = formatFirewall({
      platform,
      bridge: `ofc-${platform}`,
      gatewayAddress: "10.0.0.1",
      resolvers: [],
      settings: defaultSettings,
    });
    t.teardown(() => removeRules(`OFC-${platform}-`));
    await chown(folder, 61_999, 61_999);

    await applyFirewall(runIptables, folder, firewall);
    await chown(join(folder, "firewall.rules"), 61_999, 61_999);
    await applyFirewall(runIptables, folder, firewall);

    const rules = (await runIptables("iptables", ["--wait", "-S"])).split("\n");
    const jump = `-A INPUT -i ofc-${platform} -j OFC-${platform}-IN`;
    t.is(rules.filter((rule) => rule === jump).length, 1);
    t.is(rules.filter((rule) => rule === `-A OFC-${platform}-IN -j DROP`).length, 1);
    await t.throwsAsync(runIptables("iptables", ["-X", "OFC-none"]), {
      message: /iptables failed: ./,
    });
  });

  async function setUp(t: ExecutionContext, settings: Partial<Settings> = {}, gatewayUrl?: string) {
    const under = await openUnderTest(docker(), image(), settings, gatewayUrl);
    t.teardown(under.dispose);
    return under;
  }
} else test.skip(`how functions are locked in is not tested: ${dockerMissing}`, () => {});
