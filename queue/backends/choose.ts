import type { Log } from "#sdk/log.ts";
import { findProgram, STANDARD_PATH } from "../supervise.ts";
import type { Backend } from "./backend.ts";
import { startEmbedded } from "./embedded.ts";
import { startPrivateRedis } from "./private-redis.ts";
import { connectRedis } from "./redis.ts";

export type ChooseTools = {
  readonly dataFolder: string;
  readonly runFolder: string;
  readonly redisUrl?: string | undefined;
  /** Where `redis-server` is looked for: a PATH. */
  readonly path?: string | undefined;
  readonly log: Log;
};

/** A Redis that is named, else a `redis-server` that is installed, else the embedded database. */
export async function chooseBackend(tools: ChooseTools): Promise<Backend> {
  const { redisUrl, log } = tools;
  if (redisUrl !== undefined && redisUrl !== "") return connectRedis(parseTarget(redisUrl), log);
  const program = findProgram("redis-server", tools.path ?? STANDARD_PATH);
  return program === undefined
    ? startEmbedded(tools, log)
    : startPrivateRedis({ ...tools, program }, log);
}

function parseTarget(url: string): { url: string } | { socketPath: string } {
  return url.startsWith("unix:") ? { socketPath: url.slice("unix:".length) } : { url };
}
