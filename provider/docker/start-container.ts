import { setTimeout as sleep } from "node:timers/promises";
import { describe } from "#sdk/errors.ts";
import type { Release } from "../engine/function-record.ts";
import { dockerStatus } from "./connect-docker.ts";
import { watchContainer } from "./container.ts";
import { decideLimits } from "./decide-limits.ts";
import { formatContainer } from "./format-container.ts";
import type { Begun, ReplicaTools } from "./replica.ts";

export type StartParts = {
  readonly id: string;
  readonly release: Release;
  readonly secretsFolder: string;
};

/** Tries when the network or the address turns out to be gone or taken. */
const TRIES = 4;

/** Create and start a container; what was begun is removed when it does not come to run. */
export async function startContainer(
  tools: ReplicaTools,
  parts: StartParts,
  gone: AbortSignal,
): Promise<Begun> {
  for (let left = TRIES; ; left--) {
    const address = tools.addresses.take();
    try {
      return await tryStart(tools, parts, address, gone);
    } catch (error) {
      tools.addresses.free(address);
      const remedy = decideRemedy(error);
      if (remedy === "give-up" || left <= 1 || gone.aborted) throw error;
      if (remedy === "make-network") await tools.network.ensure();
      else await sleep(RETRY_MS, undefined, { signal: gone });
    }
  }
}

const RETRY_MS = 250;

async function tryStart(
  tools: ReplicaTools,
  { id, release, secretsFolder }: StartParts,
  address: string,
  gone: AbortSignal,
): Promise<Begun> {
  const { settings, docker, platform, network } = tools;
  const { deployment } = release;
  const created = await docker.calls.createContainer(
    formatContainer({
      ...{ id, platform, release, address, secretsFolder, settings },
      image: await tools.findImage(deployment.image),
      limits: decideLimits(deployment, settings, docker.info.NCPU),
      network: network.name,
      gatewayAddress: network.gatewayAddress,
    }),
  );
  try {
    gone.throwIfAborted();
    await created.start();
    return { address, container: watchContainer(docker, created.id, tools.closed) };
  } catch (error) {
    await created.remove({ force: true, v: true }).catch(() => {
      // Found by its labels at the next start of the platform.
      tools.log.warn("container-left", { container: created.id });
    });
    if (gone.aborted) throw new Error("was stopped while starting", { cause: error });
    throw error;
  }
}

type Remedy = "make-network" | "try-again" | "give-up";

/** Docker tells these cases by their words only (moby `daemon/container_operations.go`, libnetwork). */
export function decideRemedy(error: unknown): Remedy {
  const text = describe(error);
  if (dockerStatus(error) === undefined) return "give-up";
  if (/network .* not found|could not find a network/i.test(text)) return "make-network";
  // `docker container prune` takes what is created and not yet started.
  if (/address already in use|no such container/i.test(text)) return "try-again";
  return "give-up";
}
