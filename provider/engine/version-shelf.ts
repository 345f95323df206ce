import type { FunctionEndpoints, FunctionReport, KeptVersion } from "#provider/provider.ts";
import { FUNCTION_NAMESPACE } from "#sdk/names.ts";
import { notFound } from "../engine-errors.ts";
import {
  createVersionAddress,
  type VersionAddress,
  type VersionAddressTools,
} from "./version-address.ts";

export type VersionShelf = {
  /** All of one function's. */
  keep(service: string, versions: readonly KeptVersion[]): void;
  wake(name: string): Promise<void>;
  endpoints(): readonly FunctionEndpoints[];
  report(name: string): FunctionReport | undefined;
  /** The function whose version has the name. */
  serviceOf(name: string): string | undefined;
  images(): readonly string[];
  /** The function serves something else, or elsewhere. */
  servingChanged(service: string): void;
  refreshSecret(name: string, value: Uint8Array): Promise<void>;
  close(drainMs: number): Promise<void>;
};

export type VersionShelfTools = Omit<VersionAddressTools, "ending">;

/** The versions that have names of their own, by those. They start when called, and are stopped when idle. */
export function createVersionShelf(tools: VersionShelfTools): VersionShelf {
  const addresses = new Map<string, VersionAddress>();
  const ending: VersionAddressTools["ending"] = new Map();

  return {
    keep(service, versions) {
      const before = ofFunction(service);
      const gone = before.filter((one) => !versions.some((kept) => isSame(one, kept)));
      for (const one of gone) {
        addresses.delete(one.name);
        one.end();
      }
      for (const kept of versions) {
        if (addresses.has(kept.name)) continue;
        const address = createVersionAddress({ ...tools, ending }, service, kept);
        addresses.set(kept.name, address);
        address.publish();
      }
      for (const { name } of gone) if (!addresses.has(name)) forget(name);
    },
    async wake(name) {
      const address = addresses.get(name);
      if (address === undefined) throw notFound(name);
      await address.wake();
      sendToSleep();
    },
    endpoints: () => [...addresses.values()].map((one) => one.endpoints()),
    report: (name) => addresses.get(name)?.report(),
    serviceOf: (name) => addresses.get(name)?.service,
    images() {
      const awake = [...addresses.values()].filter((one) => one.state() !== "asleep");
      return [...awake, ...ending.keys()].map(({ release }) => release.deployment.image);
    },
    servingChanged(service) {
      for (const one of ofFunction(service)) one.publish();
    },
    async refreshSecret(name, value) {
      await Promise.all([...addresses.values()].map((one) => one.refreshSecret(name, value)));
    },
    async close(drainMs) {
      const last = [...ending.keys()].map((version) => version.drain(drainMs));
      for (const one of addresses.values()) one.end(drainMs);
      addresses.clear();
      await Promise.all([...last, ...ending.values()]);
    },
  };

  function ofFunction(service: string): VersionAddress[] {
    return [...addresses.values()].filter((one) => one.service === service);
  }

  function forget(name: string): void {
    tools.publish({ name, namespace: FUNCTION_NAMESPACE, endpoints: [], replicas: 0 });
  }

  /** No more are awake than may be: those that were called longest ago give way. */
  function sendToSleep(): void {
    const awake = [...addresses.values()]
      .filter((one) => one.state() === "awake")
      .toSorted((a, b) => b.calledAt() - a.calledAt());
    for (const one of awake.slice(tools.settings.versionsAwake)) one.sleep();
  }
}

function isSame({ name, release }: VersionAddress, kept: KeptVersion): boolean {
  return name === kept.name && release.release === kept.release;
}
