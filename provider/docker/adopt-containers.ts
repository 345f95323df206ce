import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { FunctionRecord, Release } from "../engine/function-record.ts";
import type { DockerApi } from "./connect-docker.ts";
import { containerLabels } from "./format-container.ts";
import type { ReplicaTools } from "./replica.ts";

/** A container of this platform, whoever started it. */
export type OwnContainer = {
  readonly containerId: string;
  /** 8 hex digits. */
  readonly id: string;
  /** Of the function. */
  readonly name: string;
  readonly release: string;
  readonly fence: number;
  readonly address: string;
  readonly isRunning: boolean;
  readonly isPaused: boolean;
};

/** What an earlier platform left running and may serve on; everything else of it is removed. */
export async function adoptContainers(
  { docker, platform, network, replicasFolder, log }: ReplicaTools,
  recorded: readonly FunctionRecord[],
): Promise<readonly OwnContainer[]> {
  const found = await findContainers(docker, platform, network.name);
  const { kept, others } = decideAdoption(found, recorded);
  for (const { containerId, name } of others) {
    await docker.calls.getContainer(containerId).remove({ force: true, v: true });
    log.info("container-removed", { function: name, container: containerId });
  }
  const ids = new Set(kept.map(({ id }) => id));
  for (const folder of await readdir(replicasFolder))
    if (!ids.has(folder)) await rm(join(replicasFolder, folder), { recursive: true, force: true });
  return kept;
}

/** Running copies of what serves by the records are kept. */
export function decideAdoption(
  found: readonly OwnContainer[],
  records: readonly FunctionRecord[],
): { readonly kept: readonly OwnContainer[]; readonly others: readonly OwnContainer[] } {
  const current = new Map(records.map((record) => [record.name, record.current]));
  const isKept = (one: OwnContainer) => {
    const serving = current.get(one.name);
    return one.isRunning && one.address !== "" && serving !== undefined && isOf(one, serving);
  };
  return { kept: found.filter(isKept), others: found.filter((one) => !isKept(one)) };
}

export function isOf(one: OwnContainer, { release, fence, deployment }: Release): boolean {
  return one.name === deployment.service && one.release === release && one.fence === fence;
}

const listed = z.array(
  z.object({
    Id: z.string(),
    State: z.string(),
    Labels: z.record(z.string(), z.string()),
    NetworkSettings: z.object({
      Networks: z.record(z.string(), z.object({ IPAddress: z.string() })),
    }),
  }),
);

async function findContainers(
  { calls }: DockerApi,
  platform: string,
  network: string,
): Promise<OwnContainer[]> {
  const filters = { label: [`${containerLabels.platform}=${platform}`] };
  const answer: unknown = await calls.listContainers({ all: true, filters });
  return listed.parse(answer).map(({ Id, State, Labels, NetworkSettings }) => ({
    containerId: Id,
    id: Labels[containerLabels.replica] ?? "",
    name: Labels[containerLabels.function] ?? "",
    release: Labels[containerLabels.release] ?? "",
    fence: Number(Labels[containerLabels.fence]),
    address: NetworkSettings.Networks[network]?.IPAddress ?? "",
    isRunning: State === "running" || State === "paused",
    isPaused: State === "paused",
  }));
}
