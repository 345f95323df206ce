import { describe } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import { type BuildFirewall, openBuildFirewall } from "./build-firewall.ts";
import { connectDocker, type DockerApi } from "./connect-docker.ts";
import { formatTarget } from "./firewall-rules.ts";
import { defaultSettings } from "./settings.ts";

/** What an operator wants a `RUN` to reach: `internet` or nothing start, `auto` takes what it can get. */
export type BuildReach = "auto" | "none" | "internet" | "open";

export type BuildNetwork = {
  readonly network: "none" | "default";
  /** What a `RUN` reaches and why, for people. */
  readonly words: string;
  /** Take the rules away: they are for builds, and there are none now. */
  close(): Promise<void>;
};

type BuildNetworkTools = {
  /** Where the engine's own folder is. */
  readonly dataFolder: string;
  /** `unix:///path` of the dockerd that builds. */
  readonly dockerHost: string;
  readonly reach: BuildReach;
  /** Whether `auto` may touch this machine's rules at all. */
  readonly setsRules?: boolean;
  /** Reached besides: `10.1.2.3`, `10.1.0.0/16` or `10.1.2.3:5432`. */
  readonly egressAllow: readonly string[];
  /** How often the rules are put back, should something else have flushed them. */
  readonly checkMs?: number;
  readonly log: Log;
};

/** Decide what a `RUN` of Docker's BuildKit reaches; the rules for it stand before it resolves. */
export async function openBuildNetwork(tools: BuildNetworkTools): Promise<BuildNetwork> {
  const { dataFolder, dockerHost, reach, egressAllow, setsRules = true } = tools;
  for (const target of egressAllow) formatTarget(target, "build_egress_allow");
  const docker = await connectDocker(dockerHost, defaultSettings);
  const firewall = await openBuildFirewall(docker, dataFolder, egressAllow);
  const unruled = decideUnruled(reach, setsRules);
  if (unruled !== undefined) {
    await firewall.remove();
    return unruled;
  }
  const problem =
    (reach === "auto" ? await findNeighbours(docker) : undefined) ?? (await tryRules(firewall));
  if (problem === undefined) return { ...INTERNET, close: keepRules(tools, docker, firewall) };
  // What could not be set may not be there to be removed.
  await firewall.remove().catch(() => {});
  if (reach === "auto") return closed(problem);
  throw new Error(
    `build_network is internet, and ${problem}. With build_network=none RUN has no network.`,
  );
}

const INTERNET = {
  network: "default",
  words: "RUN reaches the internet, but not this machine and no private address",
} as const;

const OPEN: BuildNetwork = {
  network: "default",
  words: "RUN reaches all that Docker's default bridge does, this machine too (build_network=open)",
  close: async () => {},
};

/** Where no rules are wanted. */
function decideUnruled(reach: BuildReach, setsRules: boolean): BuildNetwork | undefined {
  if (reach === "open") return OPEN;
  if (reach === "none") return closed("build_network=none");
  if (reach === "internet" || setsRules) return undefined;
  return closed("function_firewall=none sets no rules; build_network=internet does");
}

function closed(why: string): BuildNetwork {
  return { network: "none", words: `RUN has no network: ${why}`, close: async () => {} };
}

/** Containers that the rules would cut off from this machine; `undefined` without any. */
async function findNeighbours({ calls }: DockerApi): Promise<string | undefined> {
  const running = await calls.listContainers({ filters: { network: ["bridge"] } });
  const [first, ...others] = running.map(({ Names: [name = ""] }) => name.replace("/", ""));
  if (first === undefined) return undefined;
  const who = others.length === 0 ? first : `${first} and ${others.length} more`;
  return `the container ${who} on Docker's default bridge would lose its way to this machine by the rules; give it a network of its own, or set build_network=internet`;
}

async function tryRules(firewall: BuildFirewall): Promise<string | undefined> {
  try {
    await firewall.apply();
    return undefined;
  } catch (error) {
    return `its rules cannot be set (${describe(error)}); iptables has to be installed`;
  }
}

/** Put back what a reload of firewalld flushes; resolves with the end of it. */
function keepRules(
  { reach, log, checkMs = defaultSettings.firewallCheckMs }: BuildNetworkTools,
  docker: DockerApi,
  firewall: BuildFirewall,
): () => Promise<void> {
  let told: string | undefined;
  const timer = setInterval(() => void check(), checkMs).unref();
  return async () => {
    clearInterval(timer);
    await firewall.remove();
  };

  async function check(): Promise<void> {
    try {
      await firewall.apply();
      const found = reach === "auto" ? await findNeighbours(docker) : undefined;
      if (found !== undefined && found !== told)
        log.warn("build-network-shared", { problem: found });
      told = found;
    } catch (error) {
      log.error("build-network-not-checked", { error: describe(error) });
    }
  }
}
