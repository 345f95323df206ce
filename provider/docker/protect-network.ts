import { describe } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import { createTurns } from "../turns.ts";
import { applyFirewall } from "./apply-firewall.ts";
import type { DockerApi } from "./connect-docker.ts";
import { filterBridge } from "./filter-bridge.ts";
import { formatFirewall } from "./firewall-rules.ts";
import { FUNCTION_PORT } from "./format-container.ts";
import type { FunctionNetwork } from "./function-network.ts";
import { readResolvers } from "./read-resolvers.ts";
import { chooseIptables } from "./run-iptables.ts";
import type { Settings } from "./settings.ts";
import { type Door, startDoor } from "./start-door.ts";

type ProtectionTools = {
  readonly docker: DockerApi;
  readonly platform: string;
  readonly network: FunctionNetwork;
  /** Readable by containers of this Docker. */
  readonly folder: string;
  readonly settings: Settings;
  /** The platform's gateway, where functions may call others. */
  readonly gatewayUrl: string | undefined;
  readonly log: Log;
};

/** A network with the way to the gateway open and every other closed that the settings do not name. */
export type ProtectedNetwork = FunctionNetwork & {
  /** Close the way to the gateway; the rules stay, as functions do. */
  close(): Promise<void>;
};

/** The door and the rules stand before the first function starts, or nothing starts. */
export async function protectNetwork(tools: ProtectionTools): Promise<ProtectedNetwork> {
  const { network, settings, log } = tools;
  const inTurn = createTurns(1);
  const door = await tryDoor(tools);
  const protect = () => inTurn(() => setRules(tools, door !== undefined));
  try {
    await protect();
  } catch (error) {
    await door?.close();
    throw error;
  }
  const checks = setInterval(() => void check(), settings.firewallCheckMs).unref();

  return {
    ...network,
    async close() {
      clearInterval(checks);
      await inTurn(async () => door?.close());
    },
    async ensure() {
      await network.ensure();
      await protect();
    },
  };

  /** Others may have flushed them: a reload of firewalld does. */
  async function check(): Promise<void> {
    await protect().catch((error: unknown) =>
      log.error("firewall-not-checked", { error: describe(error) }),
    );
  }
}

async function setRules(tools: ProtectionTools, isDoorOpen: boolean): Promise<void> {
  const { docker, platform, network, folder, settings } = tools;
  if (settings.firewall === "none") return;
  const firewall = formatFirewall({
    platform,
    bridge: network.bridge,
    gatewayAddress: network.gatewayAddress,
    ...(isDoorOpen ? { gatewayPort: FUNCTION_PORT } : {}),
    resolvers: await readResolvers(),
    settings,
  });
  try {
    await filterBridge();
    await applyFirewall(chooseIptables(docker, folder), folder, firewall);
  } catch (cause) {
    throw new Error(
      `The functions' network could not be closed (${describe(cause)}); iptables has to be installed. With function_firewall=none functions start without rules, and reach nothing outside.`,
      { cause },
    );
  }
}

async function tryDoor(tools: ProtectionTools): Promise<Door | undefined> {
  const { network, gatewayUrl, log } = tools;
  if (gatewayUrl === undefined) return undefined;
  const address = { host: network.gatewayAddress, port: FUNCTION_PORT };
  try {
    return await startDoor({ ...address, gatewayUrl });
  } catch (error) {
    const remedy = `another program listens there, or a gateway on all addresses; functions cannot call http://gateway:${FUNCTION_PORT} until it is free`;
    log.error("gateway-door-closed", { ...address, error: describe(error), remedy });
    return undefined;
  }
}
