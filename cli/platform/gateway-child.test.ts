import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import type { Env } from "#sdk/env.ts";
import { createLog } from "#sdk/log.ts";
import { until } from "../../test/helpers/until.ts";
import { startGateway } from "./gateway-child.ts";
import { gatewayEnv } from "./gateway-env.ts";
import { socketUrls } from "./serve-room.ts";
import { readSettings } from "./settings.ts";

const project = join(import.meta.dirname, "../..");

/** The real gateway in front of rooms that are not there. */
async function setUp(t: ExecutionContext, environment: Env = {}) {
  const folder = await mkdtemp(join(tmpdir(), "gateway-"));
  t.teardown(() => rm(folder, { recursive: true }));
  for (const name of ["basic-auth-user", "basic-auth-password", "payload-secret"])
    await writeFile(join(folder, name), name);
  const settings = await readSettings(folder, { ...environment, PATH: process.env.PATH });
  const key = { id: "k1", secret: "payload-secret" };
  const lines: Record<string, unknown>[] = [];
  const log = createLog((line) => lines.push(JSON.parse(line)));
  const said: string[] = [];
  return {
    lines,
    said,
    async start(port = 0) {
      const env = gatewayEnv(settings, folder, key, socketUrls(folder), port);
      const gateway = await startGateway(
        project,
        env,
        log,
        (line) => said.push(line),
        () => {},
      );
      t.teardown(() => gateway.close(0));
      return gateway;
    },
    /** Process id of the gateway, as its own child of this process. */
    pid: () => Number(lines.findLast(({ event }) => event === "gateway-started")?.pid),
  };
}

/** Whether anything answers; with no rooms behind it, it is not healthy. */
const isUp = (url: string) =>
  fetch(new URL("healthz", url)).then(
    () => true,
    () => false,
  );

test("the gateway answers once it has started, logs through its parent, and is gone when closed", async (t) => {
  const { start, said } = await setUp(t);

  const gateway = await start();

  t.regex(gateway.url, /^http:\/\/127\.0\.0\.1:\d+\/$/);
  t.true(await isUp(gateway.url));
  t.true(await until(() => said.some((line) => JSON.parse(line).event === "gateway-listening")));
  await gateway.close(5_000);
  t.false(await isUp(gateway.url));
});

test("a gateway that is killed comes back on the same port", async (t) => {
  const { start, pid, lines } = await setUp(t);
  const gateway = await start();

  process.kill(pid(), "SIGKILL");

  await until(() => lines.some(({ event }) => event === "gateway-restarted"));
  t.true(await isUp(gateway.url));
  t.like(
    lines.find(({ event }) => event === "gateway-died"),
    { level: "error", signal: "SIGKILL" },
  );
});

test("a gateway that is closed while it comes back stays away", async (t) => {
  const { start, pid, lines } = await setUp(t);
  const gateway = await start();
  process.kill(pid(), "SIGKILL");
  await until(() => lines.some(({ event }) => event === "gateway-died"));

  await gateway.close(1_000);

  t.false(await isUp(gateway.url));
  t.false(lines.some(({ event }) => event === "gateway-restarted"));
});

test("a port in use and a wrong setting are each told in the gateway's own words", async (t) => {
  const taken = createServer().listen(0, "127.0.0.1");
  t.teardown(() => taken.close());
  await new Promise((resolve) => taken.once("listening", resolve));
  const address = taken.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const busy = await setUp(t);
  const wrong = await setUp(t, { read_timeout: "soon" });

  await t.throwsAsync(busy.start(port), {
    message: `Port ${port} is in use; stop what listens there, or choose another with --port.`,
  });
  await t.throwsAsync(wrong.start(), {
    message:
      'Configuration is not usable:\n  - read_timeout is "soon"; expected a duration such as "30s" or "15m", up to 596h',
  });
});
