import type { Env } from "#sdk/env.ts";
import type { Log } from "#sdk/log.ts";
import { fetchCommit } from "./fetch-commit.ts";
import { FetchError } from "./fetch-error.ts";
import { holdRead, inTurn } from "./folder-use.ts";
import { listTree, type TreeEntry } from "./list-tree.ts";
import { type BlobReader, openBlobs } from "./open-blobs.ts";
import { readHead } from "./read-head.ts";
import type { Credential } from "./run-git.ts";

export type MirrorLimits = {
  /** Longest fetch, in milliseconds. */
  readonly fetchMs: number;
  /** Most bytes one fetch may bring. */
  readonly fetchBytes: number;
  /** Most files of one commit. */
  readonly files: number;
  /** Commits kept before the mirror starts anew. */
  readonly commits: number;
};

export const MIRROR_LIMITS: MirrorLimits = {
  fetchMs: 120_000,
  fetchBytes: 1024 ** 3,
  files: 100_000,
  commits: 200,
};

export type MirrorOptions = {
  /** `<data>/git/mirrors/<scm>/<numeric id>.git`; a cache that may be deleted at any time. */
  readonly folder: string;
  /** Without user, password, query or fragment. */
  readonly cloneUrl: string;
  /** `https://github.com`, `http://127.0.0.1:8080`: where clone URLs may point. */
  readonly origins: readonly string[];
  /** Asked only when something must be fetched. */
  readonly credential: () => Promise<Credential | undefined>;
  /** PATH, proxies and certificate files are taken from it. */
  readonly environment: Env;
  readonly limits: MirrorLimits;
  readonly log: Log;
};

/** A bare repository that holds single commits of one source; nothing of it is ever checked out. */
export type Mirror = {
  /**
   * Have exactly this commit here; false when it was. Throws CommitGone, or a FetchError that says whether
   * to try again. One at a time per folder.
   */
  fetchCommit(sha: string, signal: AbortSignal): Promise<boolean>;
  /** The newest commit of a branch at the source, `undefined` when there is none. */
  readHead(branch: string, signal: AbortSignal): Promise<string | undefined>;
  listTree(sha: string, signal: AbortSignal): Promise<readonly TreeEntry[]>;
  openBlobs(signal: AbortSignal): BlobReader;
};

const SHA = /^[0-9a-f]{40}$/;

/** Throws FetchError `bad-url` when the source is not one of `origins`. */
export function openMirror(options: MirrorOptions): Mirror {
  refuseUrl(options.cloneUrl, options.origins);
  const { folder } = options;

  return {
    async fetchCommit(sha, signal) {
      refuseSha(sha);
      return inTurn(folder, () => fetchCommit(options, sha, signal));
    },
    readHead: (branch, signal) => readHead(options, branch, signal),
    async listTree(sha, signal) {
      refuseSha(sha);
      const release = holdRead(folder);
      return listTree(options, sha, signal).finally(release);
    },
    openBlobs(signal) {
      const release = holdRead(folder);
      const blobs = openBlobs(options, signal);
      return {
        ...blobs,
        close() {
          blobs.close();
          release();
        },
      };
    },
  };
}

function refuseUrl(cloneUrl: string, origins: readonly string[]): void {
  const url = URL.canParse(cloneUrl) ? new URL(cloneUrl) : undefined;
  const isPlain = url !== undefined && `${url.origin}${url.pathname}` === cloneUrl;
  if (isPlain && /^https?:$/.test(url.protocol) && origins.includes(url.origin)) return;
  throw new FetchError(
    "bad-url",
    `the clone URL is not at ${origins.join(" or ")}, the sources configured here`,
  );
}

function refuseSha(sha: string): void {
  if (!SHA.test(sha)) throw new FetchError("commit-gone", "a commit is 40 hex digits");
}
