import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import type { Release } from "../engine/function-record.ts";
import { askHealth, awaitHealthy, readProbeSettings } from "../engine/probe.ts";
import type { Replica, ReplicaLog, ReplicaSleep } from "../engine/runtime.ts";
import type { SecretStore } from "../engine/secret-store.ts";
import type { Addresses } from "./addresses.ts";
import type { DockerApi } from "./connect-docker.ts";
import { type Container, formatExit, isKill, watchContainer } from "./container.ts";
import { copyOutput } from "./copy-output.ts";
import { countConnections } from "./count-connections.ts";
import { decideLimits } from "./decide-limits.ts";
import { FUNCTION_PORT, type LocalImage } from "./format-container.ts";
import type { FunctionNetwork } from "./function-network.ts";
import { createReplicaSleep } from "./replica-sleep.ts";
import { createSecretsFolder, writeReplicaSecret } from "./secrets-folder.ts";
import type { Settings } from "./settings.ts";
import { startContainer } from "./start-container.ts";

export type ReplicaTools = {
  readonly settings: Settings;
  readonly docker: DockerApi;
  /** Throws `missing-image`. */
  findImage(reference: string): Promise<LocalImage>;
  readonly platform: string;
  readonly network: FunctionNetwork;
  readonly addresses: Addresses;
  readonly secrets: SecretStore;
  /** Holds one folder of secrets per replica. */
  readonly replicasFolder: string;
  /** Aborted when the platform lets go of its containers. */
  readonly closed: AbortSignal;
  readonly log: Log;
};

/** A container and where it listens. */
export type Begun = { readonly container: Container; readonly address: string };

/** Start one copy; what goes wrong on the way is the reason in `healthy`. */
export function startReplica(tools: ReplicaTools, release: Release, log: ReplicaLog): Replica {
  const id = randomBytes(4).toString("hex");
  return createReplica(tools, { id, release, log }, async (gone) => {
    const secretsFolder = await writeSecrets(tools, id, release);
    return startContainer(tools, { id, release, secretsFolder }, gone);
  });
}

/** A container of an earlier platform, as its labels tell. */
export type FoundContainer = {
  readonly containerId: string;
  /** 8 hex digits. */
  readonly id: string;
  readonly address: string;
  readonly isPaused: boolean;
};

/** Take over a copy that runs already; a secret that changed meanwhile reaches it. */
export function adoptReplica(
  tools: ReplicaTools,
  release: Release,
  log: ReplicaLog,
  { containerId, id, address, isPaused }: FoundContainer,
): Replica {
  tools.addresses.hold(address);
  return createReplica(tools, { id, release, log, isAdopted: true, isPaused }, async () => {
    await writeSecrets(tools, id, release);
    return { container: watchContainer(tools.docker, containerId, tools.closed), address };
  });
}

/** Returns the folder that is mounted. */
async function writeSecrets(
  { replicasFolder, secrets }: ReplicaTools,
  id: string,
  { deployment, earlierSecrets = {} }: Release,
): Promise<string> {
  const folder = await createSecretsFolder(join(replicasFolder, id));
  for (const name of deployment.secrets ?? [])
    await writeReplicaSecret(folder, name, await secrets.read(name, earlierSecrets[name]));
  return folder;
}

type Identity = {
  readonly id: string;
  readonly release: Release;
  readonly log: ReplicaLog;
  readonly isAdopted?: boolean;
  readonly isPaused?: boolean;
};

function createReplica(
  tools: ReplicaTools,
  { id, release, log, isAdopted = false, isPaused = false }: Identity,
  begin: (gone: AbortSignal) => Promise<Begun>,
): Replica {
  const { settings } = tools;
  const { deployment } = release;
  const instance = `${deployment.service}-${id}`;
  const folder = join(tools.replicasFolder, id);
  const gone = new AbortController();
  let address = "";
  let killed = false;
  const begun = begin(gone.signal);
  const ended = end().catch(describe);

  return {
    instance,
    get endpoint() {
      return `http://${address}:${FUNCTION_PORT}`;
    },
    healthy: isPaused ? Promise.resolve(undefined) : probe().catch(describe),
    ended,
    ...(settings.sleep === "pause" || isPaused ? { sleep: createSleep() } : {}),
    wasKilled: () => killed,
    async refreshSecret(name, value) {
      if (!deployment.secrets?.includes(name)) return;
      // One that is just starting may have read the old value already.
      await begun.catch(() => {});
      if (!gone.signal.aborted) await writeReplicaSecret(join(folder, "secrets"), name, value);
    },
    async drain(graceMs, drainMs) {
      await sleep(graceMs, undefined, { signal: gone.signal }).catch(() => {});
      const running = await begun.catch(() => undefined);
      const cut = setTimeout(() => void running?.container.signal("SIGKILL"), drainMs);
      await running?.container.signal("SIGTERM");
      await ended;
      clearTimeout(cut);
    },
    async kill() {
      gone.abort();
      const running = await begun.catch(() => undefined);
      await running?.container.signal("SIGKILL");
      await ended;
    },
  };

  function createSleep(): ReplicaSleep {
    const container = begun.then((running) => running.container);
    // What went wrong is told by `healthy`.
    container.catch(() => {});
    return createReplicaSleep({
      isAsleep: isPaused,
      container,
      countConnections: () => countConnections(address, FUNCTION_PORT),
      probe: () => probe().catch(describe),
      gone: AbortSignal.any([gone.signal, tools.closed]),
    });
  }

  async function probe(): Promise<string | undefined> {
    const running = await begun.catch((error: unknown) => describe(error));
    if (typeof running === "string") return running;
    const isWoken = address !== "";
    address = running.address;
    const target = { host: address, port: FUNCTION_PORT };
    const { path, initialDelayMs } = readProbeSettings(deployment);
    const reason = await awaitHealthy(
      {
        door: `port ${FUNCTION_PORT}`,
        isListening: () => isListening(target),
        ask: () => askHealth(target, path),
        signal: gone.signal,
      },
      {
        initialDelayMs: isAdopted || isWoken ? 0 : initialDelayMs,
        settleMs: settings.settleMs,
        deadlineMs: settings.healthDeadlineMs,
      },
    );
    return gone.signal.aborted ? await ended : reason;
  }

  async function end(): Promise<string> {
    const reason = await begun.then(follow, (error: unknown) => describe(error));
    gone.abort();
    await rm(folder, { recursive: true, force: true }).catch((error: unknown) =>
      tools.log.error("replica-folder-not-removed", { instance, error: describe(error) }),
    );
    return reason;
  }

  async function follow({ container, address: held }: Begun): Promise<string> {
    let hasEnded = false;
    const copied = copyOutput(
      { docker: tools.docker, closed: tools.closed, append },
      { id: container.id, hasEnded: () => hasEnded },
      isAdopted ? await log.lastTime(instance) : undefined,
    );
    const exit = await container.ended;
    hasEnded = true;
    killed = !gone.signal.aborted && isKill(exit);
    gone.abort();
    // Output is read to its end, unless dockerd is in trouble.
    await Promise.race([copied, sleep(2_000, undefined, { ref: false })]);
    await container.remove();
    // Gateways get as long to hear of its end as of a switch.
    setTimeout(() => tools.addresses.free(held), settings.graceMs).unref();
    const { memoryBytes } = decideLimits(deployment, settings, tools.docker.info.NCPU);
    return formatExit(exit, memoryBytes);
  }

  /** A full disk costs lines, never the function. */
  async function append(lines: readonly string[], time: string): Promise<void> {
    if (lines.length === 0) return;
    await log
      .append(instance, lines, toMilliseconds(time))
      .catch((error: unknown) =>
        tools.log.error("function-log-lost", { instance, error: describe(error) }),
      );
  }
}

/** `2026-11-20T09:02:26.965551812Z` to `2026-11-20T09:02:26.965Z`. */
function toMilliseconds(time: string): string {
  return Number.isNaN(Date.parse(time)) ? new Date().toISOString() : new Date(time).toISOString();
}

/** Longest wait for a replica to take a connection. */
const CONNECT_MS = 1_000;

function isListening(target: { readonly host: string; readonly port: number }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(target);
    socket.setTimeout(CONNECT_MS, () => finish(false));
    socket.once("connect", () => finish(true));
    socket.once("error", () => finish(false));

    function finish(listens: boolean): void {
      socket.destroy();
      resolve(listens);
    }
  });
}
