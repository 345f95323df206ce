import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createPostgresBackend, withBackend } from "bullmq";
import { describe } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import { migrate } from "../embedded/migrate.ts";
import { createSessionPool, type SessionPool } from "../embedded/session-pool.ts";
import { socketIn } from "../socket-in.ts";
import { supervise } from "../supervise.ts";
import type { Backend, PrivateBackend } from "./backend.ts";

/** `pg` looks for this name in the folder that it is given as host. */
const SOCKET_NAME = ".s.PGSQL.5432";
/** Making the database for the first time takes a few seconds, on a slow machine many. */
const TIMEOUT_MS = 120_000;
const TIDY_EVERY_MS = 5 * 60_000;

export type EmbeddedOptions = { readonly dataFolder: string; readonly runFolder: string };

/** A Postgres inside a child Node process (PGlite), with its data in `<data>/queue/postgres`. */
export async function startEmbedded(options: EmbeddedOptions, log: Log): Promise<PrivateBackend> {
  const dataFolder = join(options.dataFolder, "queue", "postgres");
  await mkdir(dirname(dataFolder), { recursive: true, mode: 0o700 });
  const socket = await socketIn(options.runFolder, SOCKET_NAME);
  const server = await supervise(
    {
      name: "embedded-postgres",
      file: process.execPath,
      args: [
        fileURLToPath(new URL("../embedded/main.ts", import.meta.url)),
        dataFolder,
        socket.path,
      ],
      pidFile: join(options.runFolder, "postgres.pid"),
      mark: dataFolder,
      env: {},
    },
    log,
  );
  const pool = openPool(dirname(socket.path), server.restart);
  pool.on("error", (error) => log.warn("queue-store-lost", { error: describe(error) }));
  const tidying = setInterval(() => void tidy(pool, log), TIDY_EVERY_MS).unref();
  const close = async () => {
    clearInterval(tidying);
    await pool.end();
    await server.stop();
    await socket.remove();
  };
  try {
    await pool.query("SELECT 1");
  } catch (error) {
    await close();
    throw new Error("The embedded database of the queue does not start", { cause: error });
  }
  return { ...connectEmbedded(pool), pid: server.pid, close };
}

/** PGlite has none of Postgres's background processes: nobody else removes old rows and old log files. */
async function tidy(pool: SessionPool, log: Log): Promise<void> {
  try {
    await pool.query("VACUUM ANALYZE job, event, meta");
    await pool.query("CHECKPOINT");
  } catch (error) {
    log.warn("queue-store-not-tidied", { error: describe(error) });
  }
}

/** Jobs in a database that `pool` leads to; closing leaves the pool open. */
function connectEmbedded(connection: SessionPool): Backend {
  const { Queue, Worker } = withBackend(createPostgresBackend);
  return {
    kind: "embedded",
    why: "REDIS_URL is not set and redis-server is not on the PATH",
    exclusive: true,
    openQueue(name) {
      const queue = new Queue<unknown>(name, { connection });
      // The pool reports a lost connection once; a Queue without a listener would crash on it.
      queue.on("error", () => {});
      return queue;
    },
    openWorker: (name, processor, options) =>
      new Worker(name, processor, { ...options, connection }),
    close: async () => {},
  };
}

function openPool(host: string, stuck: () => void): SessionPool {
  return createSessionPool({ host, timeoutMs: TIMEOUT_MS, stuck, prepare: migrate });
}
