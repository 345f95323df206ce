import { join } from "node:path";

/** What one `RUN` may take; 0 is no limit. */
export type RunLimits = {
  readonly memoryBytes: number;
  /** And threads. */
  readonly processes: number;
};

/** As dockerd's `info` has them. */
export type Cgroups = {
  /** `cgroupfs` or `systemd`. */
  readonly driver: string;
  /** `1` or `2`. */
  readonly version: string;
  /** dockerd's `cgroup-parent`, below the root of all groups; its default when empty. */
  readonly parent: string;
};

/** Where the groups of `RUN` steps appear for one kind of limit. */
export type RunGroups = {
  /** Where the hierarchy is mounted. */
  readonly root: string;
  readonly folder: string;
  /** Whether a folder in it is a `RUN`; containers of Docker may lie beside them. */
  readonly isRun: (name: string) => boolean;
  /** In the group's folder, and what is written to it. */
  readonly file: string;
  readonly limit: number;
  /** Nothing else lies there, so that the folder itself can be limited for all together. */
  readonly isOwn: boolean;
};

const ROOT = "/sys/fs/cgroup";
/** BuildKit's ids have 25 characters, those of containers 64. */
const SCOPE = /^docker-[0-9a-z]{25}\.scope$/;

/** BuildKit puts a `RUN` in `<parent>/buildkit/<id>`, or, where systemd has the groups, in a scope of a slice. */
export function findRunGroups(cgroups: Cgroups, limits: RunLimits): RunGroups[] {
  const isV2 = cgroups.version === "2";
  const isSystemd = cgroups.driver === "systemd";
  const parent = cgroups.parent || (isSystemd ? "system.slice" : "docker");
  const below = isSystemd ? parent : join(parent, "buildkit");
  const isRun = (name: string) => !isSystemd || SCOPE.test(name);
  const kinds = [
    ["memory", isV2 ? "memory.max" : "memory.limit_in_bytes", limits.memoryBytes],
    ["pids", "pids.max", limits.processes],
  ] as const;
  return kinds
    .filter(([, , limit]) => limit > 0)
    .map(([controller, file, limit]) => {
      const root = isV2 ? ROOT : join(ROOT, controller);
      return { root, folder: join(root, below), isRun, file, limit, isOwn: !isSystemd };
    });
}
