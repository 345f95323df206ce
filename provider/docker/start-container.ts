import { setTimeout as sleep } from "node:timers/promises";
import { describe } from "#sdk/errors.ts";
import { withDeadline } from "#sdk/with-deadline.ts";
import type { Release } from "../engine/function-record.ts";
import { dockerStatus, isDockerAway } from "./connect-docker.ts";
import { removeContainer, watchContainer } from "./container.ts";
import { decideLimits } from "./decide-limits.ts";
import { formatContainer } from "./format-container.ts";
import type { Begun, ReplicaTools } from "./replica.ts";

export type StartParts = {
  readonly id: string;
  readonly release: Release;
  readonly secretsFolder: string;
};

/** Tries when the network, the address or dockerd turns out to be gone or taken. */
const TRIES = 4;

/** Create and start a container; what was begun is removed when it does not come to run. */
export async function startContainer(
  tools: ReplicaTools,
  parts: StartParts,
  gone: AbortSignal,
): Promise<Begun> {
  const { docker, network, addresses, settings, closed } = tools;
  const patience = withDeadline(settings.dockerTimeoutMs, closed);
  for (let left = TRIES; ; left--) {
    // Replicas that still finish requests may hold all of them.
    const address = await addresses.take(AbortSignal.any([patience, gone]));
    try {
      return await tryStart(tools, parts, address, gone);
    } catch (error) {
      // Waits for a dockerd that is away, which may have begun what it could not tell any more.
      await removeContainer(docker, nameOf(tools, parts), patience);
      addresses.free(address);
      if (gone.aborted) throw new Error("was stopped while starting", { cause: error });
      const remedy = decideRemedy(error);
      if (remedy === "give-up" || left <= 1 || patience.aborted) throw error;
      if (remedy === "make-network") await network.ensure();
      else await sleep(RETRY_MS);
    }
  }
}

const RETRY_MS = 250;

async function tryStart(
  tools: ReplicaTools,
  parts: StartParts,
  address: string,
  gone: AbortSignal,
): Promise<Begun> {
  const { settings, docker, platform, network } = tools;
  const { deployment } = parts.release;
  gone.throwIfAborted();
  const created = await docker.calls.createContainer(
    formatContainer({
      ...{ ...parts, platform, address, settings },
      name: nameOf(tools, parts),
      image: await tools.findImage(deployment.image),
      limits: decideLimits(deployment, settings, docker.info.NCPU),
      network: network.name,
      gatewayAddress: network.gatewayAddress,
    }),
  );
  gone.throwIfAborted();
  await created.start();
  return { address, container: watchContainer(docker, created.id, tools.closed) };
}

/** Without the function's name: names are seen by every container that asks Docker's resolver. */
function nameOf({ platform }: ReplicaTools, { id }: StartParts): string {
  return `ofc-${platform}-${id}`;
}

type Remedy = "make-network" | "try-again" | "give-up";

/** Docker tells these cases by their words only (moby `daemon/container_operations.go`, libnetwork). */
export function decideRemedy(error: unknown): Remedy {
  if (isDockerAway(error)) return "try-again";
  const text = describe(error);
  if (dockerStatus(error) === undefined) return "give-up";
  if (/network .* not found|could not find a network/i.test(text)) return "make-network";
  // `docker container prune` takes what is created and not yet started.
  if (/address already in use|no such container/i.test(text)) return "try-again";
  return "give-up";
}
