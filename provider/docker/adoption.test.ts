import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import { dockerMissing, startDocker } from "../../test/helpers/start-docker.ts";
import { call, callEndpoint } from "../contract/contract-kit.ts";
import type { Engine } from "../provider.ts";
import { eventually } from "../test-kit.ts";
import type { Settings } from "./settings.ts";
import { listen, openUnderTest, shareDocker } from "./test-kit.ts";

if (dockerMissing === undefined) {
  const { docker, image } = shareDocker(test, startDocker);
  // One after another: what is pruned is pruned for all of this dockerd.

  test.serial(
    "a function serves on when its platform is killed, and the next start takes it over",
    async (t) => {
      const under = await setUp(t);
      const endpoint = await killAfterDeploy(under, `unix://${docker().socketPath}`);
      const before = await callEndpoint(endpoint, "/who");
      await callEndpoint(endpoint, "/print?text=alone");

      const engine = await under.openAgain();
      await engine.ready();

      t.is(await call(engine, "fn", "/who"), before);
      t.deepEqual((await engine.inventory())[0]?.current, { release: "r1", fence: 7 });
      await engine.updateSecret({ name: "token", value: Buffer.from("new") });
      t.is(await call(engine, "fn", "/read?path=/var/openfaas/secrets/token"), "new");
      const printed = ["started version ", "alone"];
      t.deepEqual(await eventually(() => readLog(engine), printed), printed);
      await call(engine, "fn", "/exit?code=3").catch(() => "");
      t.not(
        await eventually(
          () => call(engine, "fn", "/who"),
          (text: unknown) => text !== before,
        ),
        before,
      );
    },
  );

  test.serial(
    "stopping the platform leaves functions serving, and the next start has them at once",
    async (t) => {
      const under = await setUp(t);
      await under.engine.deploy({ service: "fn", image: image() });
      await under.engine.scale("fn", 2);
      await eventually(() => under.engine.endpoints()[0]?.endpoints.length, 2);
      const endpoints = under.engine.endpoints()[0]?.endpoints ?? [];

      await under.engine.close(1_000);
      const meanwhile = await Promise.all(endpoints.map((one) => callEndpoint(one, "/")));
      const engine = await under.reopen();

      t.deepEqual(meanwhile, ["", ""]);
      t.deepEqual(engine.endpoints()[0]?.endpoints.toSorted(), endpoints.toSorted());
    },
  );

  test.serial(
    "containers that belong to no release are removed at the start, others' are not",
    async (t) => {
      const under = await setUp(t);
      await under.engine.deploy({ service: "fn", image: image() });
      await under.engine.close(0);
      const { api } = docker();
      const own = await findContainers("fn");
      const labels = own[0]?.Labels ?? {};
      const copy = (changed: Record<string, string>) =>
        api.createContainer({
          Image: image().split("@")[0] ?? "",
          Labels: { ...labels, ...changed },
        });
      const old = await copy({ "com.openfaas.cloud.fence": "0" });
      const foreign = await copy({ "com.openfaas.cloud.platform": "00000000" });
      t.teardown(() => foreign.remove({ force: true }));

      await (await under.openAgain()).ready();

      await t.throwsAsync(old.inspect(), { message: /404/ });
      t.is((await foreign.inspect()).State.Status, "created");
      const left = (await findContainers("fn")).map(({ Id }) => Id);
      t.deepEqual(left.toSorted(), [foreign.id, ...own.map(({ Id }) => Id)].toSorted());
    },
  );

  test.serial("what an operator prunes is made again, for what sleeps, too", async (t) => {
    const gateway = createServer((_, answer) => answer.end("by the gateway"));
    const under = await setUp(t, {}, `http://127.0.0.1:${await listen(t, gateway)}/`);
    const { engine } = under;
    await engine.deploy({ service: "fn", image: image(), envVars: { version: "kept" } });
    await engine.scale("fn", 0);
    await eventually(() => engine.endpoints()[0]?.endpoints.length, 0);
    await eventually(async () => (await findContainers("fn")).length, 0);

    await docker().api.pruneContainers();
    await docker().api.pruneNetworks();
    await docker().api.pruneImages();
    await engine.scale("fn", 1);

    await eventually(() => engine.endpoints()[0]?.endpoints.length, 1);
    t.is(await call(engine, "fn"), "kept");
    const url = encodeURIComponent("http://gateway:8080/function/fn");
    t.is(await call(engine, "fn", `/fetch?url=${url}`), "200 by the gateway");
  });

  test.serial(
    "functions are started anew on a network that the operator has changed",
    async (t) => {
      const under = await setUp(t, { subnet: "" });
      await under.engine.deploy({ service: "fn", image: image(), envVars: { version: "kept" } });
      const before = under.engine.endpoints()[0]?.endpoints[0] ?? "";
      await under.engine.close(0);

      const engine = await under.openAgain({ egress: "none" });
      await engine.ready();

      t.is(await call(engine, "fn"), "kept");
      const after = engine.endpoints()[0]?.endpoints[0] ?? "";
      t.not(after, before);
      // The range was Docker's choice, once.
      t.is(after.split(".")[1], before.split(".")[1]);
      t.is((await findContainers("fn")).length, 1);
    },
  );

  test.serial("functions come back when dockerd is killed and started again", async (t) => {
    const { engine } = await setUp(t);
    await engine.deploy({ service: "fn", image: image() });
    const before = await call(engine, "fn", "/who");

    await docker().kill();
    const refused = await t.throwsAsync(engine.deploy({ service: "other", image: image() }));
    await docker().start();

    t.like(refused, { code: "docker-away", status: 503 });
    const isAnew = (text: unknown) => text !== before;
    t.not(await eventually(() => call(engine, "fn", "/who"), isAnew, 60_000), before);
    await engine.deploy({ service: "fn", image: image(), envVars: { version: "2" } });
    t.is(await call(engine, "fn"), "2");
  });

  for (const afterMs of [0, 60, 200]) {
    test.serial(`a deploy outlives a dockerd that is killed ${afterMs} ms into it`, async (t) => {
      const { engine } = await setUp(t);
      const declared = Promise.withResolvers<void>();
      const deployed = engine.deploy(
        { service: "fn", image: image(), envVars: { version: "new" } },
        { onDeclared: declared.resolve },
      );
      await declared.promise;
      await sleep(afterMs);

      await docker().kill();
      await docker().start();
      await deployed;

      t.is(await eventually(() => call(engine, "fn"), "new", 60_000), "new");
      await eventually(async () => (await findContainers("fn")).length, 1);
      t.is((await findContainers("fn")).length, 1);
    });
  }

  async function setUp(t: ExecutionContext, settings: Partial<Settings> = {}, gatewayUrl?: string) {
    const under = await openUnderTest(docker(), image(), settings, gatewayUrl);
    t.teardown(under.dispose);
    return under;
  }

  async function findContainers(name: string) {
    const filters = { label: [`com.openfaas.cloud.function=${name}`] };
    return docker().api.listContainers({ all: true, filters });
  }
} else test.skip(`taking containers over is not tested: ${dockerMissing}`, () => {});

/** Deploy `fn` from a process of its own, kill that, and return the endpoint. */
async function killAfterDeploy(
  under: Awaited<ReturnType<typeof openUnderTest>>,
  dockerHost: string,
): Promise<string> {
  await under.engine.close(0);
  const program = new URL("platform-host.ts", import.meta.url).pathname;
  const args = [program, under.folder, dockerHost, under.image, under.subnet];
  const host = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"], env: {} });
  const [said] = await once(host.stdout, "data");
  host.kill("SIGKILL");
  await once(host, "close");
  return String(said).trim();
}

async function readLog(engine: Engine): Promise<string[]> {
  const { signal } = new AbortController();
  const texts: string[] = [];
  for await (const { text } of engine.logs({ name: "fn", follow: false, signal })) texts.push(text);
  return texts;
}
