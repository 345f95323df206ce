import { spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import test, { type ExecutionContext } from "ava";
import { setUp as openLedgerFor } from "#ledger/test-support/set-up.ts";
import type { LogLine } from "#provider/provider.ts";
import { writeDurably } from "#sdk/durable-file.ts";
import { createAdmin } from "../../cli/platform/admin.ts";
import { createOwnerPolicy } from "../../cli/platform/owner-policy.ts";
import { serveRoom } from "../../cli/platform/serve-room.ts";
import { runningFile } from "../../cli/running-file.ts";
import { openForge } from "../../forge/open-forge.ts";
import { readForgeSettings } from "../../forge/settings.ts";
import { openQueue } from "../../queue/queue.ts";
import { readQueueSettings } from "../../queue/settings.ts";
import { hasProgram } from "./has-program.ts";
import { createLoopback, deployedFunction } from "./loopback-gateway.ts";

/** One at a time where each brings an embedded database, which takes a second's work and half a gigabyte. */
export const testAdmin = hasProgram("redis-server") ? test : test.serial;

type Said = { readonly code: number; readonly stdout: string; readonly stderr: string };

type AdminOptions = {
  /** What functions have printed. */
  readonly printed?: readonly LogLine[];
  /** What the engine says of a function that does not serve as asked. */
  readonly problem?: { readonly name: string; readonly text: string };
};

const main = join(import.meta.dirname, "../../cli/main.ts");
const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2_048 });

/**
 * The admin socket over a real ledger, forge and queue, found through a data folder as that of a running
 * platform.
 */
export async function startAdmin(
  t: ExecutionContext,
  { printed = [], problem }: AdminOptions = {},
) {
  const dataFolder = await mkdtemp(join(tmpdir(), "admin-"));
  const place = openLedgerFor(t);
  const loopback = createLoopback();
  const { gateway, log } = loopback;
  const payloadKey = { id: "test", secret: "payload secret" };
  const queue = await openQueue({
    dataFolder,
    runFolder: dataFolder,
    path: process.env.PATH,
    gatewayUrl: `unix:${join(dataFolder, "gateway.sock")}`,
    payloadKey,
    settings: readQueueSettings({ queue_pipeline_attempts: "1" }).settings,
    log,
  });
  const forge = await openForge({
    dataFolder,
    publicUrl: "http://127.0.0.1:8080/",
    webhookUrl: "http://127.0.0.1:9/",
    webhookSecret: "secret",
    appId: 1,
    appPublicKeyPem: publicKey.export({ type: "spki", format: "pem" }).toString(),
    async *followBuild() {},
    settings: readForgeSettings({}),
    log,
  });
  const admin = createAdmin({
    ledger: place.ledger,
    gateway,
    queue,
    forge,
    engine: {
      list: async () =>
        loopback.deployed.map((one) =>
          one.name === problem?.name ? { ...one, problem: problem.text } : one,
        ),
      status: async (name) => loopback.deployed.find((one) => one.name === name),
      secretsVersion: refuse,
      forgetEarlierSecret: async () => refuse(),
      async *logs({ name, follow, signal }) {
        yield* printed.filter((line) => line.name === name);
        if (follow) await once(signal, "abort");
      },
    },
    policy: createOwnerPolicy(place.ledger, false),
    settings: [{ name: "build_lease", value: "30s", source: "default", fallback: "30s" }],
    keepReleases: 5,
    publicUrl: "http://127.0.0.1:8080/",
    log,
  });
  const socket = join(dataFolder, "admin.sock");
  const stop = await serveRoom(`unix:${socket}`, admin, log);
  const running = { pid: process.pid, url: "http://127.0.0.1:8080/", socket };
  await writeDurably(runningFile(dataFolder), JSON.stringify(running));
  t.teardown(async () => {
    await stop();
    await forge.close();
    await queue.close(0);
    await rm(dataFolder, { recursive: true });
  });

  return {
    ...place,
    ledger: place.ledger,
    loopback,
    queue,
    dataFolder,
    socket,
    /** A function as the gateway and the engine list it. */
    deploy: (name: string) => loopback.deployed.push(deployedFunction(name)),
    ofc: (...args: string[]) => runOfc([...args, "--data", dataFolder]),
  };
}

function refuse(): never {
  throw new Error("There are no secrets here.");
}

/** Run a command as a person does, in a process of its own and off a terminal. */
export async function runOfc(
  args: readonly string[],
  { cwd, env }: { readonly cwd?: string; readonly env?: Record<string, string> } = {},
): Promise<Said> {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", main, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    ...(cwd === undefined ? {} : { cwd }),
    ...(env === undefined ? {} : { env: { ...process.env, ...env } }),
  });
  const [[code], stdout, stderr] = await Promise.all([
    once(child, "close"),
    text(child.stdout),
    text(child.stderr),
  ]);
  return { code: typeof code === "number" ? code : -1, stdout, stderr };
}
