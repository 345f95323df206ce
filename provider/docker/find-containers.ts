import { z } from "zod";
import type { DockerApi } from "./connect-docker.ts";
import { containerLabels } from "./format-container.ts";

/** A container of this platform, whoever started it. */
export type OwnContainer = {
  readonly containerId: string;
  readonly id: string;
  readonly name: string;
  readonly release: string;
  readonly fence: number;
  readonly address: string;
  readonly isRunning: boolean;
};

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

/** Every container that carries this platform's label, running or not. */
export async function findContainers(
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
    isRunning: State === "running",
  }));
}
