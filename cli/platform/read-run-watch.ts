import { statfs } from "node:fs/promises";
import { totalmem } from "node:os";
import { formatBytes } from "#sdk/format-bytes.ts";
import type { BuildkitAddress } from "../../builder/buildkit/address.ts";
import { readRunLimits } from "../../builder/image/image-settings.ts";
import { findObstacle } from "../../builder/image/limit-runs.ts";
import { findRunGroups, type RunLimits } from "../../builder/image/run-groups.ts";
import type { RunWatchSettings } from "../../builder/image/watch-runs.ts";
import { readDiskSettings } from "./disk-gate.ts";
import type { Foundation } from "./foundation.ts";

type FoundRunWatch = {
  readonly runs: RunWatchSettings;
  readonly limits?: RunLimits;
  /** For people. */
  readonly words: string;
};

/** What bounds a `RUN` on this machine; nothing does that is in another's BuildKit. */
export async function readRunWatch(
  { settings }: Foundation,
  { kind, at }: BuildkitAddress,
): Promise<FoundRunWatch> {
  const { env } = settings;
  const { cgroupParent, ...limits } = readRunLimits(env, totalmem());
  if (kind !== "docker" || !("path" in at))
    return { runs: { groups: [] }, words: "the limits of a RUN are its machine's" };
  const [{ connectDocker }, { defaultSettings }] = await Promise.all([
    import("#provider/docker/connect-docker.ts"),
    import("#provider/docker/settings.ts"),
  ]);
  const { info } = await connectDocker(`unix://${at.path}`, defaultSettings);
  const disk = await findDisk(info.DockerRootDir, readDiskSettings(env).reserveBytes);
  const cgroups = { driver: info.CgroupDriver, version: info.CgroupVersion, parent: cgroupParent };
  const groups = findRunGroups(cgroups, limits);
  const obstacle = process.getuid?.() === 0 ? await findObstacle(groups) : "root can do that";
  if (obstacle === undefined)
    return { runs: { ...disk, groups }, limits, words: tellLimits(limits) };
  const words = `memory and processes of a RUN are not limited: ${obstacle}`;
  return { runs: { ...disk, groups: [] }, words };
}

/** Not there where dockerd sees other folders than we do, or keeps its own from us. */
async function findDisk(
  path: string,
  reserveBytes: number,
): Promise<Pick<RunWatchSettings, "disk">> {
  return statfs(path).then(
    () => ({ disk: { path, reserveBytes } }),
    () => ({}),
  );
}

function tellLimits({ memoryBytes, processes }: RunLimits): string {
  const memory = memoryBytes === 0 ? "any memory" : `${formatBytes(memoryBytes)} of memory`;
  return `a RUN gets ${memory} and ${processes === 0 ? "any number of" : processes} processes`;
}
