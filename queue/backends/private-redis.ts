import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "#sdk/log.ts";
import { socketIn } from "../socket-in.ts";
import { supervise } from "../supervise.ts";
import type { PrivateBackend } from "./backend.ts";
import { connectRedis } from "./redis.ts";

export type PrivateRedisOptions = {
  /** Path of `redis-server`. */
  readonly program: string;
  readonly dataFolder: string;
  readonly runFolder: string;
};

/** A redis-server of our own, on a Unix socket that only this user reaches, in `<data>/queue/redis`. */
export async function startPrivateRedis(
  options: PrivateRedisOptions,
  log: Log,
): Promise<PrivateBackend> {
  const dir = join(options.dataFolder, "queue", "redis");
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const socket = await socketIn(options.runFolder, "redis.sock");
  const server = await supervise(
    {
      name: "redis-server",
      file: options.program,
      args: redisArguments(socket.path, dir),
      pidFile: join(options.runFolder, "redis.pid"),
      mark: dir,
      env: {},
    },
    log,
  );
  try {
    const backend = await connectRedis({ socketPath: socket.path }, log);
    return {
      ...backend,
      kind: "private-redis",
      exclusive: true,
      why: `${options.program} is installed`,
      pid: server.pid,
      async close() {
        await backend.close();
        await server.stop();
        await socket.remove();
      },
    };
  } catch (error) {
    await server.stop();
    await socket.remove();
    throw new Error(`${options.program} does not start; queue-store-died in the log says why`, {
      cause: error,
    });
  }
}

/**
 * A call is on disk before it is answered 202, so every write is synced (`appendfsync always`): `everysec`
 * would lose up to two seconds of accepted calls with the power. Redis syncs once for all commands of a turn.
 */
function redisArguments(socketPath: string, dir: string): string[] {
  const settings = {
    port: "0",
    unixsocket: socketPath,
    unixsocketperm: "600",
    dir,
    appendonly: "yes",
    appendfsync: "always",
    save: "",
    daemonize: "no",
    // Its command line must go on naming the data folder: a left-over is known by that.
    "set-proc-title": "no",
    "maxmemory-policy": "noeviction",
  };
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
}
