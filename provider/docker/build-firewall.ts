import { access, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { createTurns } from "../turns.ts";
import { applyFirewall, removeFirewall } from "./apply-firewall.ts";
import type { DockerApi } from "./connect-docker.ts";
import { filterBridge } from "./filter-bridge.ts";
import { buildChains, formatBuildFirewall, formatBuildFirewall6 } from "./firewall-rules.ts";
import { createPlatformRecordStore } from "./platform-record.ts";
import { readBuildResolvers } from "./read-resolvers.ts";
import { chooseIptables } from "./run-iptables.ts";

/** The rules of one data folder for what is on Docker's default bridge. */
export type BuildFirewall = {
  /** Put them in force, or back. */
  apply(): Promise<void>;
  /** Also what an earlier platform of this data folder left. */
  remove(): Promise<void>;
};

export async function openBuildFirewall(
  docker: DockerApi,
  dataFolder: string,
  egressAllow: readonly string[],
): Promise<BuildFirewall> {
  const ownFolder = join(dataFolder, "engine", "docker");
  const folder = join(ownFolder, "builds");
  const { platform } = await createPlatformRecordStore(ownFolder).read();
  const run = chooseIptables(docker, folder);
  const inTurn = createTurns(1);

  return {
    apply: () =>
      inTurn(async () => {
        const parts = {
          ...{ platform, egressAllow },
          bridge: await findBridge(docker),
          resolvers: await readBuildResolvers(),
        };
        await filterBridge();
        await mkdir(folder, { recursive: true, mode: 0o700 });
        await applyFirewall(run, folder, formatBuildFirewall(parts));
        if (await hasIpv6()) await applyFirewall(run, folder, formatBuildFirewall6(parts), "ip6");
      }),
    remove: () =>
      inTurn(async () => {
        // Made before the first rule, gone after the last.
        if (!(await exists(folder))) return;
        await removeFirewall(run, folder, buildChains(platform));
        if (await hasIpv6()) await removeFirewall(run, folder, buildChains(platform), "ip6");
        await rm(folder, { recursive: true });
      }),
  };
}

/** Interface of Docker's default bridge, where BuildKit puts a `RUN`. */
async function findBridge({ calls }: DockerApi): Promise<string> {
  const networks = await calls.listNetworks({ filters: { driver: ["bridge"] } });
  const options: Record<string, string> =
    networks.find(({ Name }) => Name === "bridge")?.Options ?? {};
  const bridge = options["com.docker.network.bridge.name"];
  if (bridge !== undefined) return bridge;
  throw new Error("Docker has no default bridge, which a RUN would be on");
}

/** A kernel without it has no tables for it either. */
function hasIpv6(): Promise<boolean> {
  return exists("/proc/net/if_inet6");
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
