import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { containerLabels } from "../../provider/docker/format-container.ts";
import { readPlatformId } from "../helpers/docker-platform.ts";
import type { TestDocker } from "../helpers/start-docker.ts";
import type { SeenRecord } from "./observed.ts";

/** Docker's own. */
const NETWORKS = ["bridge", "host", "none"];

/**
 * What a stopped platform has left on a dockerd that is its own, beyond one running container for each
 * function that the ledger says serves, their network and the images of artifacts. Sentences; none when all is well.
 */
export async function findDockerLeftovers(
  docker: TestDocker,
  dataFolder: string,
  serving: readonly SeenRecord[],
  digests: readonly string[],
): Promise<string[]> {
  return [
    ...(await findContainerLeftovers(docker, dataFolder, serving)),
    ...(await findNetworkLeftovers(docker, dataFolder)),
    ...(await findImageLeftovers(docker, digests)),
  ];
}

async function findContainerLeftovers(
  { api }: TestDocker,
  dataFolder: string,
  serving: readonly SeenRecord[],
): Promise<string[]> {
  const found = await api.listContainers({ all: true });
  const keyOf = (service: string, release: string, fence: number) =>
    `${service} ${release} fence ${fence}`;
  const running = found.map(({ State, Labels }) => {
    const { function: service, release, fence } = containerLabels;
    const key = keyOf(Labels[service] ?? "", Labels[release] ?? "", Number(Labels[fence]));
    return State === "running" ? key : `${key}, ${State}`;
  });
  const due = serving.map(({ service, release, fence }) => keyOf(service, release, fence));
  const folders = await readdir(join(dataFolder, "engine/docker/replicas"));
  const replicas = found.map(({ Labels }) => Labels[containerLabels.replica]);
  return [
    ...due.filter((one) => !running.includes(one)).map((one) => `no container runs ${one}`),
    ...running
      .filter((one, at) => !due.includes(one) || running.indexOf(one) !== at)
      .map((one) => `a container is left of ${one}`),
    ...folders
      .filter((one) => !replicas.includes(one))
      .map((one) => `engine/docker/replicas/${one} is left`),
  ];
}

async function findNetworkLeftovers({ api }: TestDocker, dataFolder: string): Promise<string[]> {
  const own = `ofc-${await readPlatformId(dataFolder)}`;
  const networks = await api.listNetworks();
  return networks
    .map(({ Name }) => Name)
    .filter((name) => name !== own && !NETWORKS.includes(name))
    .map((name) => `network ${name} is left`);
}

/** An image without a name is half of one; one that the ledger names and Docker does not have is a lie. */
async function findImageLeftovers(
  { api }: TestDocker,
  digests: readonly string[],
): Promise<string[]> {
  const images = await api.listImages();
  const unnamed = images.filter(({ RepoTags }) =>
    (RepoTags ?? []).every((name) => name.startsWith("<none>")),
  );
  const ids = images.map(({ Id }) => Id);
  return [
    ...unnamed.map(({ Id }) => `image ${Id} has no name`),
    ...digests.filter((one) => !ids.includes(one)).map((one) => `image ${one} is not there`),
  ];
}
