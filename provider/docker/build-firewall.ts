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
        await bothFamilies(
          () => applyFirewall(run, folder, formatBuildFirewall(parts)),
          () => applyFirewall(run, folder, formatBuildFirewall6(parts), "ip6"),
        );
      }),
    remove: () =>
      inTurn(async () => {
        // Made before the first rule, gone after the last.
        if (!(await exists(folder))) return;
        await bothFamilies(
          () => removeFirewall(run, folder, buildChains(platform)),
          () => removeFirewall(run, folder, buildChains(platform), "ip6"),
        );
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

/** Side by side, and to the end of both: a member of the group docker starts a container for each step. */
async function bothFamilies(ipv4: () => Promise<void>, ipv6: () => Promise<void>): Promise<void> {
  // A kernel without IPv6 has no tables for it either.
  const hasIpv6 = await exists("/proc/net/if_inet6");
  const done = await Promise.allSettled([ipv4(), ...(hasIpv6 ? [ipv6()] : [])]);
  for (const one of done) if (one.status === "rejected") throw one.reason;
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
