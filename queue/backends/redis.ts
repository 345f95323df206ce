import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import { describe } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import type { Backend } from "./backend.ts";

const RECONNECT_STEP_MS = 25;
const RECONNECT_MAX_MS = 500;
/** Keys are `openfaas:<queue>:…`, so that a Redis can be shared. */
const PREFIX = "openfaas";

export type RedisTarget = { readonly url: string } | { readonly socketPath: string };

/** Jobs in a Redis 6.2 or newer. Resolves when it answers; throws when it does not within `timeoutMs`. */
export async function connectRedis(
  target: RedisTarget,
  log: Log,
  timeoutMs = 10_000,
): Promise<Backend> {
  const life = new AbortController();
  const connection = open(target, life.signal);
  watch(connection, log);
  await ready(connection, timeoutMs);
  return backendOn(connection, () => life.abort());
}

function backendOn(connection: Redis, end: () => void): Backend {
  return {
    kind: "redis",
    why: "REDIS_URL is set",
    exclusive: false,
    openQueue: (name) => quiet(new Queue<unknown>(name, { connection, prefix: PREFIX })),
    openWorker: (name, processor, options) =>
      new Worker(name, processor, { ...options, connection, prefix: PREFIX }),
    async close() {
      end();
      connection.disconnect();
    },
  };
}

/** Workers copy these options for connections of their own, which must not look for a store after the end. */
function open(target: RedisTarget, ended: AbortSignal): Redis {
  const options = {
    maxRetriesPerRequest: null,
    retryStrategy: (times: number) =>
      ended.aborted ? null : Math.min(times * RECONNECT_STEP_MS, RECONNECT_MAX_MS),
  };
  return "url" in target
    ? new Redis(target.url, options)
    : new Redis({ ...options, path: target.socketPath });
}

/** One line when the connection is lost and one when it is back, however many attempts lie between. */
function watch(connection: Redis, log: Log): void {
  let state: "new" | "there" | "lost" = "new";
  connection.on("error", (error: Error) => {
    if (state === "there") log.warn("queue-store-lost", { error: describe(error) });
    if (state === "there") state = "lost";
  });
  connection.on("ready", () => {
    if (state === "lost") log.info("queue-store-found");
    state = "there";
  });
}

async function ready(connection: Redis, timeoutMs: number): Promise<void> {
  const late = AbortSignal.timeout(timeoutMs);
  try {
    await Promise.race([
      connection.ping(),
      new Promise((_, reject) => {
        late.onabort = () => reject(new Error(`no answer within ${timeoutMs} ms`));
      }),
    ]);
  } catch (error) {
    connection.disconnect();
    throw new Error("Redis does not answer, so the queue cannot be used", { cause: error });
  } finally {
    late.onabort = null;
  }
}

/** The shared connection reports its errors once; a Queue without a listener would crash on them. */
function quiet<Q extends Queue>(queue: Q): Q {
  queue.on("error", () => {});
  return queue;
}
