import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { containerLabels } from "../../provider/docker/format-container.ts";
import type { TestDocker } from "./start-docker.ts";

const RECORD = z.object({ platform: z.string() });

/** A function's container, whatever state it is in. */
export type FunctionContainer = {
  readonly id: string;
  readonly service: string;
  readonly release: string;
  /** `running`, `created`, `exited`. */
  readonly state: string;
};

/** The environment of a platform on a test's dockerd. */
export function dockerEnv({ socketPath }: TestDocker): Record<string, string> {
  return {
    DOCKER_HOST: `unix://${socketPath}`,
    // The private dockerd leaves this machine's rules alone, and so does its platform.
    function_firewall: "none",
  };
}

/** All containers of a data folder's platform, whether it runs or not, by their functions' names. */
export async function listContainers(
  { api }: TestDocker,
  dataFolder: string,
): Promise<FunctionContainer[]> {
  const label = `${containerLabels.platform}=${await readPlatformId(dataFolder)}`;
  const found = await api.listContainers({ all: true, filters: { label: [label] } });
  return found
    .map(({ Id, State, Labels }) => ({
      id: Id,
      service: Labels[containerLabels.function] ?? "",
      release: Labels[containerLabels.release] ?? "",
      state: State,
    }))
    .toSorted((a, b) => a.service.localeCompare(b.service));
}

/** Its network is `ofc-<id>`, and so are its containers' names. */
export async function readPlatformId(dataFolder: string): Promise<string> {
  const text = await readFile(join(dataFolder, "engine/docker/platform.json"), "utf8");
  return RECORD.parse(JSON.parse(text)).platform;
}
