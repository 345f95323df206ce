import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "#sdk/log.ts";
import { createEngine, type LocalEngine } from "../engine/create-engine.ts";
import { openEngineFolder } from "../engine/engine-folder.ts";
import { createRecordStore, type FunctionRecord, type Release } from "../engine/function-record.ts";
import { createSecretStore } from "../engine/secret-store.ts";
import { createAddresses } from "./addresses.ts";
import { connectDocker } from "./connect-docker.ts";
import { decideLimits } from "./decide-limits.ts";
import { findContainers, type OwnContainer } from "./find-containers.ts";
import { findImage } from "./find-image.ts";
import { openNetwork } from "./function-network.ts";
import { createPlatformRecordStore } from "./platform-record.ts";
import { adoptReplica, type ReplicaTools, startReplica } from "./replica.ts";
import { defaultSettings, type Settings } from "./settings.ts";

export type DockerEngineOptions = {
  /** `engine/` inside it is this engine's; nobody else may use it at the same time. */
  readonly dataFolder: string;
  /** `unix:///path`, as in DOCKER_HOST; Docker's usual socket when absent. */
  readonly dockerHost?: string | undefined;
  readonly log: Log;
  readonly settings?: Partial<Settings>;
};

export type DockerEngine = LocalEngine & {
  /** What keeps functions apart on this machine, for people. */
  readonly isolation: string;
};

/** Run functions as containers. Takes over those of recorded releases, and removes all others of its own. */
export async function openDockerEngine(options: DockerEngineOptions): Promise<DockerEngine> {
  const { dataFolder, log } = options;
  const settings = { ...defaultSettings, ...options.settings };
  const docker = await connectDocker(options.dockerHost, settings.dockerTimeoutMs);
  checkRuntime(docker.info.Runtimes, settings.ociRuntime);
  const folder = await openEngineFolder(dataFolder);
  const replicasFolder = join(folder.path, "replicas");
  await mkdir(replicasFolder, { recursive: true, mode: 0o700 });
  const platforms = createPlatformRecordStore(folder.path);
  const { platform } = await platforms.read();
  const network = await openNetwork(docker.calls, platforms, {
    platform,
    subnet: settings.subnet,
    internal: settings.egress === "none",
  });

  const secrets = createSecretStore(folder.secrets);
  const records = createRecordStore(folder.functions);
  const recorded = await records.read();
  const closed = new AbortController();
  const tools: ReplicaTools = {
    settings,
    docker,
    platform,
    network,
    addresses: createAddresses(network.subnet, Math.random()),
    secrets,
    replicasFolder,
    closed: closed.signal,
    log,
  };
  const found = await findContainers(docker, platform, network.name);
  const { kept, others } = decideAdoption(found, recorded);
  for (const { containerId, name } of others) {
    await docker.calls.getContainer(containerId).remove({ force: true, v: true });
    log.info("container-removed", { function: name, container: containerId });
  }
  await removeFolders(replicasFolder, new Set(kept.map(({ id }) => id)));

  const engine = createEngine(
    {
      runtime: {
        kind: "docker",
        keepsRunning: settings.keepRunning,
        async check(deployment) {
          decideLimits(deployment, settings, docker.info.NCPU);
          await findImage(docker.calls, deployment.image);
        },
        start: (release, replicaLog) => startReplica(tools, release, replicaLog),
        adopt: (release, replicaLog) =>
          kept
            .filter((one) => isOf(one, release))
            .map((one) => adoptReplica(tools, release, replicaLog, one)),
      },
      settings,
      folder,
      records,
      secrets,
      log,
    },
    recorded,
  );
  return {
    ...engine,
    isolation: describeIsolation(settings),
    async close(drainMs) {
      await engine.close(drainMs);
      closed.abort();
    },
  };
}

function checkRuntime(runtimes: Readonly<Record<string, unknown>>, wanted: string): void {
  if (wanted === "" || Object.hasOwn(runtimes, wanted)) return;
  throw new Error(
    `Docker has no runtime "${wanted}", only ${Object.keys(runtimes).join(", ")}; add it under "runtimes" in /etc/docker/daemon.json and restart Docker.`,
  );
}

/** Running copies of what serves by the records are kept; everything else of ours is not wanted. */
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

function isOf(one: OwnContainer, { release, fence, deployment }: Release): boolean {
  return one.name === deployment.service && one.release === release && one.fence === fence;
}

async function removeFolders(folder: string, kept: ReadonlySet<string>): Promise<void> {
  for (const name of await readdir(folder))
    if (!kept.has(name)) await rm(join(folder, name), { recursive: true, force: true });
}

function describeIsolation({ ociRuntime }: Settings): string {
  return `containers without capabilities on a read-only root${ociRuntime === "" ? "" : ` under ${ociRuntime}`}`;
}
