import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { HttpError } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import { createEngine, type LocalEngine } from "../engine/create-engine.ts";
import { openEngineFolder } from "../engine/engine-folder.ts";
import { createRecordStore } from "../engine/function-record.ts";
import type { Runtime } from "../engine/runtime.ts";
import { openSecretStore } from "../engine/secret-store.ts";
import { createAddresses } from "./addresses.ts";
import { adoptContainers, isOf, type OwnContainer } from "./adopt-containers.ts";
import { connectDocker, isDockerAway } from "./connect-docker.ts";
import { decideLimits } from "./decide-limits.ts";
import { findImage } from "./find-image.ts";
import { openNetwork } from "./function-network.ts";
import { createPlatformRecordStore } from "./platform-record.ts";
import { protectNetwork } from "./protect-network.ts";
import { adoptReplica, type ReplicaTools, startReplica } from "./replica.ts";
import { defaultSettings, type Settings } from "./settings.ts";

export type DockerEngineOptions = {
  /** `engine/` inside it is this engine's; nobody else may use it at the same time. */
  readonly dataFolder: string;
  /** `unix:///path`, as in DOCKER_HOST; Docker's usual socket when absent. */
  readonly dockerHost?: string | undefined;
  /** The platform's gateway, which functions reach as `http://gateway:8080`. */
  readonly gatewayUrl?: string | undefined;
  /** Text of a Docker `config.json` for pulls, when there is one. */
  readonly readRegistryAuth?: () => Promise<string | undefined>;
  readonly log: Log;
  readonly settings?: Partial<Settings>;
};

export type DockerEngine = LocalEngine & {
  /** What keeps functions apart on this machine, for people. */
  readonly isolation: string;
};

/** Run functions as containers. Takes over those of recorded releases, and removes all others of its own. */
export async function openDockerEngine(options: DockerEngineOptions): Promise<DockerEngine> {
  const { dataFolder, gatewayUrl, log } = options;
  const settings = { ...defaultSettings, ...options.settings };
  const { readRegistryAuth = async () => undefined } = options;
  const docker = await connectDocker(options.dockerHost, settings);
  const folder = await openEngineFolder(dataFolder);
  // Of this machine: a copy of the data folder must not take the original's containers for its own.
  const ownFolder = join(folder.path, "docker");
  const replicasFolder = join(ownFolder, "replicas");
  await mkdir(replicasFolder, { recursive: true, mode: 0o700 });
  const platforms = createPlatformRecordStore(ownFolder);
  const { platform } = await platforms.read();
  const network = await protectNetwork({
    ...{ docker, platform, settings, gatewayUrl, log },
    folder: ownFolder,
    network: await openNetwork(docker.calls, platforms, settings),
  });

  const secrets = await openSecretStore(folder);
  const records = createRecordStore(folder.functions);
  const recorded = await records.read();
  const closed = new AbortController();
  const tools: ReplicaTools = {
    ...{ settings, docker, platform, network, secrets, replicasFolder, log },
    // Not where the last platform began: its addresses rest for a while.
    addresses: createAddresses(network.subnet, Math.random()),
    findImage: (reference) => findImage({ docker, settings, readRegistryAuth }, reference),
    closed: closed.signal,
  };
  const runtime = createRuntime(tools, await adoptContainers(tools, recorded));
  const engine = createEngine(
    { runtime, ...{ settings, folder, records, secrets, log } },
    recorded,
  );
  return {
    ...engine,
    isolation: describeIsolation(settings),
    async close(drainMs) {
      await engine.close(drainMs);
      closed.abort();
      await network.close();
    },
  };
}

function createRuntime(tools: ReplicaTools, adopted: readonly OwnContainer[]): Runtime {
  return {
    kind: "docker",
    keepsRunning: tools.settings.keepRunning,
    async check(deployment) {
      decideLimits(deployment, tools.settings, tools.docker.info.NCPU);
      await tools.findImage(deployment.image).catch((error: unknown) => {
        throw isDockerAway(error) ? dockerAway(error) : error;
      });
    },
    start: (release, log) => startReplica(tools, release, log),
    adopt: (release, log) =>
      adopted
        .filter((one) => isOf(one, release))
        .map((one) => adoptReplica(tools, release, log, one)),
  };
}

/** To be tried again: nothing was changed, and nothing is wrong with the deployment. */
function dockerAway(cause: unknown): HttpError {
  return new HttpError(503, "docker-away", "Docker does not answer; try again when it is back.", {
    cause,
  });
}

function describeIsolation({ ociRuntime, egress, firewall }: Settings): string {
  const runtime = ociRuntime === "" ? "" : ` under ${ociRuntime}`;
  const reach = firewall === "none" ? "no rules for their network" : `egress ${egress}`;
  return `containers${runtime} without capabilities on a read-only root, ${reach}`;
}
