import { access } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "#sdk/errors.ts";
import { findProgram, STANDARD_PATH } from "#sdk/find-program.ts";
import type { Log } from "#sdk/log.ts";
import type { Backend } from "./backend.ts";
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

/** What is there to choose from. */
export type Findings = {
  readonly redisUrl: string | undefined;
  /** Path of `redis-server`. */
  readonly program: string | undefined;
  /** Whether an earlier start kept calls in the folder `redis`, or in `postgres`. */
  readonly redisData: boolean;
  readonly postgresData: boolean;
};

export type Choice =
  | { readonly kind: "redis"; readonly url: string; readonly why: string }
  | { readonly kind: "private-redis"; readonly program: string; readonly why: string }
  | { readonly kind: "embedded"; readonly why: string };

/** Open the store that `decideBackend` picks. */
export async function chooseBackend(tools: ChooseTools): Promise<Backend> {
  const folder = join(tools.dataFolder, "queue");
  const choice = decideBackend({
    redisUrl: tools.redisUrl === "" ? undefined : tools.redisUrl,
    program: findProgram("redis-server", tools.path ?? STANDARD_PATH),
    redisData: await isThere(join(folder, "redis", "appendonlydir")),
    postgresData: await isThere(join(folder, "postgres", "PG_VERSION")),
  });
  return { ...(await open(choice, tools)), why: choice.why };
}

function open(choice: Choice, tools: ChooseTools): Promise<Backend> {
  switch (choice.kind) {
    case "redis":
      return connectRedis(parseRedisUrl(choice.url), tools.log);
    case "private-redis":
      return startPrivateRedis({ ...tools, program: choice.program }, tools.log);
    case "embedded":
      return openEmbedded(tools);
  }
}

/** Its client of Postgres is loaded only when there is one. */
async function openEmbedded(tools: ChooseTools): Promise<Backend> {
  const { startEmbedded } = await import("./embedded.ts");
  return startEmbedded(tools, tools.log);
}

/**
 * A Redis that is named, else a `redis-server` that is installed, else the embedded database; but calls that
 * an earlier start accepted are never left behind in another store. Throws when they could not be read.
 */
export function decideBackend({ redisUrl, program, redisData, postgresData }: Findings): Choice {
  if (redisUrl !== undefined) return { kind: "redis", url: redisUrl, why: "REDIS_URL is set" };
  if (redisData && program === undefined)
    throw new Error(
      "Accepted calls are in <data>/queue/redis, and redis-server is no longer on the PATH; install it, or move that folder away to go on without them",
    );
  if (postgresData && !redisData && program !== undefined)
    return {
      kind: "embedded",
      why: "calls of an earlier start are in <data>/queue/postgres; move that folder away to use the redis-server that is installed",
    };
  if (program !== undefined)
    return { kind: "private-redis", program, why: `${program} is installed` };
  return { kind: "embedded", why: "REDIS_URL is not set and redis-server is not on the PATH" };
}

/** `redis://…`, `rediss://…` or `unix:/path`. */
function parseRedisUrl(url: string): { url: string } | { socketPath: string } {
  return url.startsWith("unix:") ? { socketPath: url.slice("unix:".length) } : { url };
}

async function isThere(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw error;
  }
}
