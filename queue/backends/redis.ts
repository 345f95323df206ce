import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import { describe } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import type { QueueName } from "../stored-call.ts";
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
  const connection = open(target);
  watch(connection, log);
  await ready(connection, timeoutMs);
  return {
    kind: "redis",
    why: "REDIS_URL is set",
    openQueue: (name) => quiet(new Queue(name, { connection, prefix: PREFIX })),
    openWorker: (name, processor, options) =>
      new Worker(name, processor, { ...options, connection, prefix: PREFIX }),
    releaseLocks: async () => {},
    close: async () => connection.disconnect(),
  };
}

/** The same for a Redis that nobody else works on, where every lock found is a lost worker's. */
export async function connectOwnRedis(
  target: RedisTarget,
  log: Log,
  timeoutMs?: number,
): Promise<Backend> {
  const shared = await connectRedis(target, log, timeoutMs);
  return {
    ...shared,
    async releaseLocks(name) {
      const connection = open(target);
      try {
        await removeLocks(connection, name);
      } finally {
        connection.disconnect();
      }
    },
  };
}

function open(target: RedisTarget): Redis {
  const options = {
    maxRetriesPerRequest: null,
    retryStrategy: (times: number) => Math.min(times * RECONNECT_STEP_MS, RECONNECT_MAX_MS),
  };
  return "url" in target
    ? new Redis(target.url, options)
    : new Redis({ ...options, path: target.socketPath });
}

/** One line when the connection is lost and one when it is back, however many attempts lie between. */
function watch(connection: Redis, log: Log): void {
  let lost = false;
  connection.on("error", (error: Error) => {
    if (!lost) log.warn("queue-store-lost", { error: describe(error) });
    lost = true;
  });
  connection.on("ready", () => {
    if (lost) log.info("queue-store-found");
    lost = false;
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
    throw new Error(
      "Redis cannot be used for the queue; check REDIS_URL, or unset it to use a private one",
      { cause: error },
    );
  } finally {
    late.onabort = null;
  }
}

/** The shared connection reports its errors once; a Queue without a listener would crash on them. */
function quiet<Q extends Queue>(queue: Q): Q {
  queue.on("error", () => {});
  return queue;
}

async function removeLocks(connection: Redis, name: QueueName): Promise<void> {
  const active = await connection.lrange(`${PREFIX}:${name}:active`, 0, -1);
  if (active.length > 0)
    await connection.del(...active.map((id) => `${PREFIX}:${name}:${id}:lock`));
}
