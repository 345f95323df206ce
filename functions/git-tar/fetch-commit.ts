import { mkdir } from "node:fs/promises";
import { performance } from "node:perf_hooks";
import { describe } from "#sdk/errors.ts";
import { withDeadline } from "#sdk/with-deadline.ts";
import { FetchError, toFetchError } from "./fetch-error.ts";
import type { MirrorOptions } from "./mirror.ts";
import {
  countKept,
  exists,
  hasCommit,
  isBroken,
  keptRef,
  packBytes,
  removeStale,
  resetMirror,
} from "./mirror-folder.ts";
import { type Credential, runGit } from "./run-git.ts";

const GROWTH_CHECK_MS = 100;

/** Bring one commit into the mirror; a mirror that is broken, or a full disk, is cleared and tried once more. */
export async function fetchCommit(
  options: MirrorOptions,
  sha: string,
  signal: AbortSignal,
): Promise<boolean> {
  signal.throwIfAborted();
  const { folder, log } = options;
  if (await hasCommit(folder, sha)) return false;

  const started = performance.now();
  const credential = await options.credential();
  if ((await isBroken(folder)) || (await countKept(folder)) >= options.limits.commits)
    await resetMirror(folder);
  try {
    await fetchOnce(options, sha, credential, signal);
  } catch (error) {
    if (!(error instanceof FetchError) || !["broken", "disk-full"].includes(error.failure))
      throw error;
    log.warn("mirror-reset", { sha, error: describe(error) });
    await resetMirror(folder);
    await fetchOnce(options, sha, credential, signal);
  }
  log.info("commit-fetched", { sha, duration_ms: Math.round(performance.now() - started) });
  return true;
}

async function fetchOnce(
  options: MirrorOptions,
  sha: string,
  credential: Credential | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { folder, environment, limits } = options;
  await ensureMirror(options, signal);
  await removeStale(folder);
  const watch = await watchLimits(options, signal);
  try {
    const { code, stderr } = await runGit({
      folder,
      environment,
      signal: watch.signal,
      args: fetchArgs(options.cloneUrl, sha),
      ...(credential === undefined ? {} : { credential }),
    });
    if (code !== 0) throw toFetchError(stderr, sha, credential?.password);
    await watch.check();
    if (!(await hasCommit(folder, sha)))
      throw new FetchError("broken", `git fetched ${sha.slice(0, 7)} without keeping it`);
  } catch (error) {
    if (error instanceof FetchError && error.failure === "too-large") await resetMirror(folder);
    else await removeStale(folder);
    signal.throwIfAborted();
    throw isTimeout(error)
      ? new FetchError("timed-out", `the fetch took longer than ${limits.fetchMs / 1_000} s`)
      : error;
  } finally {
    watch.stop();
  }
}

/** Make the bare repository unless it is there. */
export async function ensureMirror(
  { folder, environment }: MirrorOptions,
  signal: AbortSignal,
): Promise<void> {
  if (await exists(folder)) return;
  await mkdir(folder, { recursive: true });
  const args = ["init", "--bare", "--quiet", "--template="];
  const { code, stderr } = await runGit({ folder, environment, signal, args });
  if (code !== 0) throw toFetchError(stderr, "", undefined);
}

function fetchArgs(cloneUrl: string, sha: string): readonly string[] {
  return [
    // Tags of old tools that git's check dislikes and that harm nobody.
    ...["zeroPaddedFilemode", "missingSpaceBeforeEmail", "badTimezone", "missingEmail"].flatMap(
      (name) => ["-c", `fetch.fsck.${name}=ignore`],
    ),
    ...["-c", "fetch.fsckObjects=true", "-c", "fetch.unpackLimit=1"],
    "fetch",
    "--quiet",
    "--no-tags",
    "--no-write-fetch-head",
    "--no-auto-maintenance",
    "--no-recurse-submodules",
    "--depth=1",
    "--end-of-options",
    cloneUrl,
    `+${sha}:${keptRef(sha)}`,
  ];
}

/** A signal that also aborts when the fetch takes too long or brings too much; `check` after a fast one. */
async function watchLimits({ folder, limits }: MirrorOptions, signal: AbortSignal) {
  const growth = new AbortController();
  const before = await packBytes(folder);
  const check = async () => {
    if ((await packBytes(folder)) - before <= limits.fetchBytes) return;
    throw new FetchError(
      "too-large",
      `the commit is larger than ${limits.fetchBytes} bytes; keep large files elsewhere`,
    );
  };
  const timer = setInterval(() => {
    check().catch((error: unknown) => growth.abort(error));
  }, GROWTH_CHECK_MS);
  return {
    signal: withDeadline(limits.fetchMs, signal, growth.signal),
    check,
    stop: () => clearInterval(timer),
  };
}

function isTimeout(error: unknown): boolean {
  return error instanceof DOMException && error.name === "TimeoutError";
}
