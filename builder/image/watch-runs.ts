import { statfs } from "node:fs/promises";
import { describe, HttpError } from "#sdk/errors.ts";
import { formatBytes } from "#sdk/format-bytes.ts";
import type { Log } from "#sdk/log.ts";
import { createRunLimiter } from "./limit-runs.ts";
import type { RunGroups } from "./run-groups.ts";

/** What is looked at while builds run. */
export type RunWatchSettings = {
  /** Where BuildKit keeps what it builds; absent when that is another machine's. */
  readonly disk?: { readonly path: string; readonly reserveBytes: number };
  /** Empty where no limits can be set. */
  readonly groups: readonly RunGroups[];
};

export type RunWatch = {
  /** Build, and look meanwhile; `stop` says why the build has to end. Rejects with 503 while the disk is short. */
  during<T>(build: (stop: AbortSignal) => Promise<T>): Promise<T>;
};

type RunWatchTools = RunWatchSettings & {
  /** Builds side by side. */
  readonly atOnce: number;
  /** Drop what of BuildKit's cache nobody uses. */
  readonly makeRoom: () => Promise<void>;
  readonly log: Log;
};

/** A fast disk takes half of the default reserve in this time, a fork bomb makes a few hundred processes. */
const LOOK_EVERY_MS = 100;

export function createRunWatch({ disk, groups, atOnce, makeRoom, log }: RunWatchTools): RunWatch {
  const limiter = createRunLimiter(groups, atOnce);
  const running = new Set<AbortController>();
  let timer: NodeJS.Timeout | undefined;
  let isLooking = false;
  let clearing: Promise<void> | undefined;
  const failing = new Set<() => Promise<void>>();

  return {
    async during(build) {
      await refuseShort();
      await attempt(limiter.prepare);
      const stop = new AbortController();
      running.add(stop);
      timer ??= setInterval(() => void look(), LOOK_EVERY_MS);
      try {
        return await build(stop.signal);
      } finally {
        end(stop);
      }
    },
  };

  async function refuseShort(): Promise<void> {
    if ((await findShortage()) !== undefined) await clear();
    const shortage = await findShortage();
    if (shortage === undefined) return;
    const message = `${shortage}; nothing is built until there is more.`;
    throw new HttpError(503, "disk-short", message);
  }

  function end(stop: AbortController): void {
    running.delete(stop);
    if (running.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  }

  async function look(): Promise<void> {
    if (isLooking) return;
    isLooking = true;
    await attempt(stopIfShort);
    await attempt(limiter.look);
    isLooking = false;
  }

  /** Builds go on without what cannot be done; it is told once while it lasts. */
  async function attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
      failing.delete(work);
    } catch (error) {
      if (!failing.has(work)) log.error("runs-not-bounded", { error: describe(error) });
      failing.add(work);
    }
  }

  async function stopIfShort(): Promise<void> {
    const shortage = await findShortage();
    if (shortage !== undefined && running.size > 0) stopAll(shortage);
  }

  /** One that was alone has filled the disk itself; of several who knows, and they are built again. */
  function stopAll(shortage: string): void {
    log.warn("build-disk-short", { builds: running.size, shortage });
    const status = running.size === 1 ? 422 : 503;
    const message = `${shortage}, while this was built; the build was stopped.`;
    for (const build of running) build.abort(new HttpError(status, "disk-short", message));
    running.clear();
    // Beside the looks: it may take minutes.
    void attempt(clear);
  }

  function clear(): Promise<void> {
    clearing ??= makeRoom().finally(() => {
      clearing = undefined;
    });
    return clearing;
  }

  async function findShortage(): Promise<string | undefined> {
    if (disk === undefined) return undefined;
    const { bavail, bsize } = await statfs(disk.path);
    const freeBytes = bavail * bsize;
    if (freeBytes >= disk.reserveBytes) return undefined;
    return `Docker's disk has ${formatBytes(freeBytes)} free, less than the ${formatBytes(disk.reserveBytes)} of disk_reserve_mib`;
  }
}
