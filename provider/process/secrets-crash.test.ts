import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import test, { type ExecutionContext } from "ava";
import { z } from "zod";
import { call } from "../contract/contract-kit.ts";
import type { Engine } from "../provider.ts";
import { eventually } from "../test-kit.ts";
import { buildTestFunction, openOn } from "./test-kit.ts";

// Steps of a round are three deploys and two updates; the times are somewhere within the next step.
for (const [steps, afterMs] of [
  [3, 0],
  [4, 0],
  [4, 40],
  [5, 2],
  [5, 120],
  [7, 1],
] as const) {
  test(`kill -9 ${afterMs} ms after step ${steps} leaves each release with its own values, and no value without use`, async (t) => {
    const { folder, image } = await setUp(t);
    await killAfter(folder, image, steps, afterMs);

    const engine = await openOn(folder, { isolation: "none" });
    t.teardown(() => engine.close(0));
    await engine.ready();

    const served = await readKey(engine);
    const now = await readFile(join(folder, "engine/secrets/key"), "utf8");
    const [item] = await engine.inventory();
    const isBack = item?.current.release.startsWith("back-") ?? false;
    t.is(served, isBack ? (item?.status.envVars?.expected ?? "") : now, item?.current.release);
    await engine.updateSecret({ name: "key", value: Buffer.from("last") });
    t.is(await readKey(engine), "last");
    engine.keepVersions("fn", []);
    const left = () => readdir(join(folder, "engine/secrets-earlier"), { recursive: true });
    t.deepEqual(await eventually(left, []), []);
  });
}

/** Without namespaces the folder is another. */
async function readKey(engine: Engine): Promise<string> {
  const env = ENVIRONMENT.parse(JSON.parse(await call(engine, "fn", "/env")));
  const path = join(env.OPENFAAS_SECRETS ?? "/var/openfaas/secrets", "key");
  return call(engine, "fn", `/read?path=${path}`);
}

const ENVIRONMENT = z.object({ OPENFAAS_SECRETS: z.string().optional() });

async function setUp(t: ExecutionContext) {
  const folder = await mkdtemp(join(tmpdir(), "ofc-secrets-crash-"));
  t.teardown(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  return { folder, image: await buildTestFunction(join(folder, "artifacts")) };
}

/** Kill a platform that goes on and on, so long after it has said so many steps. */
async function killAfter(
  folder: string,
  image: string,
  steps: number,
  afterMs: number,
): Promise<void> {
  const program = new URL("secrets-host.ts", import.meta.url).pathname;
  const host = spawn(process.execPath, [program, folder, image], {
    stdio: ["ignore", "pipe", "inherit"],
    env: {},
  });
  let said = 0;
  createInterface({ input: host.stdout }).on("line", () => {
    said++;
    if (said === steps) setTimeout(() => host.kill("SIGKILL"), afterMs);
  });
  await once(host, "close");
}
