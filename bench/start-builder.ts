import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { type PayloadKey, signCall } from "#sdk/internal-signature.ts";
import type { BuilderSpec } from "./builder-worker.ts";

export type BenchBuilder = {
  readonly pid: number;
  /** Send a build as the platform does, and resolve when its last line says success. */
  build(context: AsyncIterable<Uint8Array>): Promise<void>;
  close(): Promise<void>;
};

const KEY: PayloadKey = { id: "bench", secret: "bench" };

/** As `ofc` starts the platform, of which the builder is a part. */
const FLAGS = ["--max-semi-space-size=1", "--v8-pool-size=1"];
const ALLOCATOR = {
  MALLOC_ARENA_MAX: "2",
  MALLOC_TRIM_THRESHOLD_: "131072",
  MALLOC_MMAP_THRESHOLD_: "32768",
};

/** The image builder in a process of its own, on this Docker. */
export async function startBuilder(docker: string, maxContextBytes: number): Promise<BenchBuilder> {
  const dataFolder = await mkdtemp(join(tmpdir(), "ofc-bench-builder-"));
  const socketPath = join(dataFolder, "b.sock");
  const spec: BuilderSpec = { docker, dataFolder, socketPath, key: KEY, maxContextBytes };
  const child = fork(
    fileURLToPath(new URL("./builder-worker.ts", import.meta.url)),
    [JSON.stringify(spec)],
    { execArgv: FLAGS, env: { ...process.env, ...ALLOCATOR } },
  );
  const ended = once(child, "exit");
  const [ready] = await Promise.race([once(child, "message"), ended]);
  if (ready !== "ready") throw new Error(`The builder's process ended with ${ready}.`);
  return {
    pid: child.pid ?? 0,
    build: (context) => send(socketPath, context),
    async close() {
      child.disconnect();
      await ended;
      await rm(dataFolder, { recursive: true });
    },
  };
}

async function send(socketPath: string, context: AsyncIterable<Uint8Array>): Promise<void> {
  const signed = new Headers({ "x-content-key": "v1:bench", "x-owner-id": "github:1" });
  const signature = signCall({ method: "POST", path: "/build", headers: signed }, KEY);
  const headers = {
    ...Object.fromEntries(signed),
    "x-cloud-signature": signature,
    accept: "application/x-ndjson",
  };
  const sending = request({ socketPath, method: "POST", path: "/build", headers });
  const answering = once(sending, "response");
  await pipeline(Readable.from(context, { objectMode: false }), sending);
  const [answer]: IncomingMessage[] = await answering;
  const said = answer === undefined ? "" : await text(answer);
  if (!said.includes('"status":"success"')) throw new Error(`It was not built: ${said}`);
}
