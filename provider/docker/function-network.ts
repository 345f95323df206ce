import type Docker from "dockerode";
import type { NetworkCreateOptions } from "dockerode";
import { createTurns } from "../turns.ts";
import { gatewayOf } from "./addresses.ts";
import { dockerStatus } from "./connect-docker.ts";
import type { PlatformRecordStore } from "./platform-record.ts";
import type { Settings } from "./settings.ts";

/** The bridge that functions of one platform are on, none of which reaches another. */
export type FunctionNetwork = {
  readonly name: string;
  /** Interface on this machine, at most 15 characters. */
  readonly bridge: string;
  readonly subnet: string;
  /** This machine's address on it. */
  readonly gatewayAddress: string;
  /** Make it again when it is gone: `docker network prune` removes it while all functions sleep. */
  ensure(): Promise<void>;
};

/** Find or make the network; its range is chosen once and recorded, so that addresses can be given out. */
export async function openNetwork(
  docker: Docker,
  records: PlatformRecordStore,
  settings: Pick<Settings, "subnet" | "egress" | "firewall">,
): Promise<FunctionNetwork> {
  const inTurn = createTurns(1);
  const record = await records.read();
  const name = `ofc-${record.platform}`;
  const subnet = settings.subnet || (record.subnet ?? (await findFreeRange(docker, name)));
  // Without rules of ours nothing but Docker's own closed network keeps functions in.
  const isInternal = settings.egress === "none" || settings.firewall === "none";
  const wanted = describeNetwork(name, subnet, isInternal);
  await ensure();
  if (record.subnet !== subnet) await records.write({ ...record, subnet });

  return {
    name,
    bridge: name,
    subnet,
    gatewayAddress: gatewayOf(subnet),
    ensure: () => inTurn(ensure),
  };

  async function ensure(): Promise<void> {
    const found = await inspect(docker, name);
    if (found !== undefined && isSame(found, wanted)) return;
    if (found !== undefined) await removeNetwork(docker, name);
    await docker.createNetwork(wanted);
  }
}

function describeNetwork(name: string, subnet: string, internal: boolean) {
  return {
    Name: name,
    Driver: "bridge",
    Internal: internal,
    EnableIPv6: false,
    IPAM: { Driver: "default", Config: [{ Subnet: subnet, Gateway: gatewayOf(subnet) }] },
    Options: {
      "com.docker.network.bridge.name": name,
      "com.docker.network.bridge.enable_icc": "false",
    },
    Labels: { "com.openfaas.cloud.platform": name.slice("ofc-".length) },
  } satisfies NetworkCreateOptions;
}

type Network = Docker.NetworkInspectInfo;

function isSame(found: Network, wanted: ReturnType<typeof describeNetwork>): boolean {
  const options: Record<string, string> = found.Options ?? {};
  return (
    found.Internal === wanted.Internal &&
    found.IPAM?.Config?.[0]?.Subnet === wanted.IPAM.Config[0]?.Subnet &&
    Object.entries(wanted.Options).every(([name, value]) => options[name] === value)
  );
}

/** Containers on it are cut off; those that still run are started anew when their probe fails. */
async function removeNetwork(docker: Docker, name: string): Promise<void> {
  const network = docker.getNetwork(name);
  const { Containers = {} } = await network.inspect();
  for (const id of Object.keys(Containers ?? {}))
    await network.disconnect({ Container: id, Force: true });
  await network.remove();
}

/** Docker looks for a range that neither its networks nor this machine's routes use; it is ours from then on. */
async function findFreeRange(docker: Docker, name: string): Promise<string> {
  if ((await inspect(docker, name)) !== undefined) await removeNetwork(docker, name);
  const probe = await docker.createNetwork({ Name: name, Driver: "bridge" });
  const { IPAM }: Network = await probe.inspect();
  await probe.remove();
  const range = IPAM?.Config?.[0]?.Subnet;
  if (range === undefined) throw new Error(`Docker gave network ${name} no range of addresses.`);
  return range;
}

async function inspect(docker: Docker, name: string): Promise<Network | undefined> {
  try {
    return await docker.getNetwork(name).inspect();
  } catch (error) {
    if (dockerStatus(error) === 404) return undefined;
    throw error;
  }
}
