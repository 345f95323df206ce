import type { Build } from "#ledger/types/build.ts";
import type { Ledger } from "#ledger/types/ledger.ts";
import type { Repository } from "#ledger/types/repository.ts";
import { HttpError } from "#sdk/errors.ts";
import type { PipelineLog } from "#sdk/messages.ts";
import { toSlug } from "#sdk/names.ts";
import type { ObjectStore } from "#sdk/object-store.ts";
import type { Config } from "./config.ts";

export type BuildLogsTools = {
  readonly config: Pick<Config, "keepLogs" | "logLimitBytes">;
  readonly ledger: Pick<
    Ledger,
    "findBuild" | "findOwnerBySlug" | "listOwners" | "listRepositories" | "listBuilds"
  >;
  readonly objects: ObjectStore;
};

type LogAddress = {
  /** `<owner>/<repo>`. */
  readonly repoPath: string;
  readonly sha: string;
  /** The function's key in stack.yml. */
  readonly name: string;
};

export type BuildLogs = {
  /** Durable when it resolves; without a build id the newest build of the commit is meant. */
  store(
    entry: PipelineLog,
    buildId: string | undefined,
  ): Promise<{ readonly key: string; readonly bytes: number }>;
  /** The newest kept log of the commit's builds. */
  read(address: LogAddress): Promise<string | undefined>;
};

/** Builds of a commit that are looked through; each redeploy makes one. */
const SEARCH_LIMIT = 1_000;

/** Logs by owner, repository, build and function, so that no build overwrites another's. */
export function createBuildLogs({ config, ledger, objects }: BuildLogsTools): BuildLogs {
  return {
    async store(entry, buildId) {
      const name = checkName(entry.Function);
      const address = { repoPath: entry.RepoPath, sha: entry.CommitSHA, name };
      const build =
        buildId === undefined ? findBuilds(address)[0] : namedBuild(buildId, entry.CommitSHA);
      if (build === undefined)
        throw new HttpError(
          404,
          "unknown-build",
          `The ledger has no build of ${entry.RepoPath} at ${entry.CommitSHA}.`,
        );
      const data = keepEnd(Buffer.from(entry.Data), config.logLimitBytes);
      const key = keyOf(build, name);
      await objects.put(key, data);
      await forgetOld(build, name);
      return { key, bytes: data.length };
    },

    async read(address) {
      checkName(address.name);
      for (const build of findBuilds(address)) {
        const data = await objects.get(keyOf(build, address.name));
        if (data !== undefined) return data.toString("utf8");
      }
      return undefined;
    },
  };

  function namedBuild(buildId: string, sha: string): Build | undefined {
    const build = ledger.findBuild(buildId);
    return build?.sha === sha ? build : undefined;
  }

  /** Builds of a commit, newest first. */
  function findBuilds({ repoPath, sha }: LogAddress): Build[] {
    checkSha(sha);
    const repository = findRepository(repoPath);
    if (repository === undefined) return [];
    return ledger.listBuilds({ repositoryId: repository.id, sha, limit: SEARCH_LIMIT });
  }

  function findRepository(repoPath: string): Repository | undefined {
    const [, login = "", name = ""] = /^([\w.-]{1,100})\/([\w.-]{1,100})$/.exec(repoPath) ?? [];
    if (login === "")
      throw new HttpError(400, "bad-query", "repoPath must be <owner>/<repository>.");
    const slug = toSlug(login);
    const owner =
      ledger.findOwnerBySlug(slug) ?? ledger.listOwners().find((one) => toSlug(one.login) === slug);
    if (owner === undefined) return undefined;
    return ledger
      .listRepositories(owner.id)
      .find((one) => one.name.toLowerCase() === name.toLowerCase());
  }

  /** Build ids are ordered in time: what sorts first is oldest. */
  async function forgetOld(build: Build, name: string): Promise<void> {
    const folder = `${build.ownerId}/${build.repositoryId}`;
    const kept: string[] = [];
    for (const buildId of (await objects.list(folder)).reverse()) {
      const names = await objects.list(`${folder}/${buildId}`);
      if (names.includes(`${name}.log`)) kept.push(buildId);
    }
    for (const buildId of kept.slice(config.keepLogs))
      await objects.remove(`${folder}/${buildId}/${name}.log`);
  }
}

function keyOf({ ownerId, repositoryId, id }: Build, name: string): string {
  return `${ownerId}/${repositoryId}/${id}/${name}.log`;
}

/** Whole lines from the end, below a note that says how much was cut. */
function keepEnd(data: Buffer, limitBytes: number): Buffer {
  if (data.length <= limitBytes) return data;
  const note = `The log has ${data.length} bytes, more than the ${limitBytes} that are kept; this is its end.\n`;
  const end = data.subarray(data.length - Math.max(0, limitBytes - note.length));
  return Buffer.concat([Buffer.from(note), end.subarray(end.indexOf(0x0a) + 1)]);
}

function checkName(name: string): string {
  if (/^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/.test(name)) return name;
  throw new HttpError(400, "bad-query", "function must be a function's name, a DNS label.");
}

function checkSha(sha: string): void {
  if (!/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(sha))
    throw new HttpError(400, "bad-query", "commitSHA must be 40 or 64 hex digits.");
}
