import { once } from "node:events";
import { connect } from "node:net";
import test, { type ExecutionContext } from "ava";
import { dockerMissing, startDocker } from "../../test/helpers/start-docker.ts";
import { call } from "../contract/contract-kit.ts";
import type { Engine } from "../provider.ts";
import { eventually } from "../test-kit.ts";
import { parseConnections } from "./count-connections.ts";
import type { Settings } from "./settings.ts";
import { openUnderTest, shareDocker } from "./test-kit.ts";

test("connections to one address and port are counted, those that are over are not", (t) => {
  const line = (remote: string, state: string) =>
    `   0: 0100007F:A3C6 ${remote} ${state} 00000000:00000000 00:00000000 00000000 0 0 12345`;
  const table = [
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode",
    line("0B02010A:1F90", "01"),
    line("0B02010A:1F90", "02"),
    line("0B02010A:1F90", "06"),
    line("0B02010A:1F91", "01"),
    line("0C02010A:1F90", "01"),
    "",
  ].join("\n");

  t.is(parseConnections(table, "10.1.2.11", 8_080), 2);
});

if (dockerMissing === undefined) {
  const { docker, image } = shareDocker(test, startDocker);
  // One after another: dockerd is killed in one of them.

  test.serial("a function that sleeps is paused, and the same process serves on", async (t) => {
    const { engine } = await setUp(t);
    await engine.deploy({ service: "fn", image: image() });
    const before = await call(engine, "fn", "/who");

    await engine.scale("fn", 0);
    const asleep = await awaitPaused();
    const endpoints = engine.endpoints()[0]?.endpoints;
    await engine.scale("fn", 1);

    t.is(asleep, true);
    t.deepEqual(endpoints, []);
    t.is(await answer(engine, "/who"), before);
  });

  test.serial("a function that is called while it falls asleep does not", async (t) => {
    const { engine } = await setUp(t);
    await engine.deploy({ service: "fn", image: image() });
    const before = await call(engine, "fn", "/who");

    await engine.scale("fn", 0);
    await engine.scale("fn", 1);

    t.is(await answer(engine, "/who"), before);
    t.is((await findContainers())[0]?.State, "running");
  });

  test.serial("who stays connected keeps a function from being paused: it ends", async (t) => {
    const { engine } = await setUp(t, { drainMs: 300 });
    await engine.deploy({ service: "fn", image: image() });
    const { hostname, port } = new URL(engine.endpoints()[0]?.endpoints[0] ?? "");
    const socket = connect(Number(port), hostname);
    t.teardown(() => socket.destroy());
    socket.on("error", () => {});
    await once(socket, "connect");
    const before = await call(engine, "fn", "/who");

    await engine.scale("fn", 0);
    const left = await eventually(async () => (await findContainers()).length, 0, 60_000);
    await engine.scale("fn", 1);

    t.is(left, 0);
    t.not(await answer(engine, "/who"), before);
  });

  test.serial(
    "what sleeps when the platform is killed sleeps on, and wakes in the next",
    async (t) => {
      const under = await setUp(t);
      await under.engine.deploy({ service: "fn", image: image() });
      const before = await call(under.engine, "fn", "/who");
      await under.engine.scale("fn", 0);
      await awaitPaused();

      const engine = await under.openAgain();
      await engine.ready();
      const [found] = await findContainers();
      await engine.scale("fn", 1);

      t.is(found?.State, "paused");
      t.is(await answer(engine, "/who"), before);
    },
  );

  test.serial(
    "a new version takes the place of one that sleeps, and a removal ends it",
    async (t) => {
      const { engine } = await setUp(t);
      await engine.deploy({ service: "fn", image: image() });
      await engine.scale("fn", 0);
      await awaitPaused();

      await engine.deploy({ service: "fn", image: image(), envVars: { version: "2" } });
      const count = async () => (await findContainers()).length;
      const afterDeploy = await eventually(count, 1, 60_000);
      const text = await answer(engine, "/");
      await engine.scale("fn", 0);
      await awaitPaused();
      await engine.remove("fn");

      t.deepEqual([afterDeploy, text], [1, "2"]);
      t.is(await eventually(count, 0, 60_000), 0);
    },
  );

  test.serial("what slept when dockerd was killed is started anew when it is called", async (t) => {
    const { engine } = await setUp(t);
    await engine.deploy({ service: "fn", image: image(), envVars: { version: "anew" } });
    await engine.scale("fn", 0);
    await awaitPaused();

    await docker().kill();
    await docker().start();
    await engine.scale("fn", 1);

    t.is(await answer(engine, "/"), "anew");
  });

  test.serial("where the operator says so, a function that sleeps is stopped", async (t) => {
    const { engine } = await setUp(t, { sleep: "stop" });
    await engine.deploy({ service: "fn", image: image() });

    await engine.scale("fn", 0);

    t.is(await eventually(async () => (await findContainers()).length, 0, 60_000), 0);
  });

  async function setUp(t: ExecutionContext, settings: Partial<Settings> = {}) {
    const under = await openUnderTest(docker(), image(), settings);
    t.teardown(under.dispose);
    return under;
  }

  async function findContainers() {
    const filters = { label: ["com.openfaas.cloud.function=fn"] };
    return docker().api.listContainers({ all: true, filters });
  }

  function awaitPaused(): Promise<boolean> {
    return eventually(async () => (await findContainers())[0]?.State === "paused", true, 60_000);
  }

  /** Once it serves. */
  function answer(engine: Engine, path: string): Promise<string> {
    return eventually(
      () => call(engine, "fn", path),
      () => true,
      60_000,
    );
  }
} else test.skip(`how functions sleep is not tested: ${dockerMissing}`, () => {});
