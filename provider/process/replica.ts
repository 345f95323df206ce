import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { useAllCores } from "#sdk/cores.ts";
import { describe } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import type { Release } from "../engine/function-record.ts";
import { askHealth, awaitHealthy, readProbeSettings } from "../engine/probe.ts";
import type { Replica, ReplicaLog } from "../engine/runtime.ts";
import type { SecretStore } from "../engine/secret-store.ts";
import { createLineSplitter } from "../engine/split-lines.ts";
import { readArtifact } from "./artifact.ts";
import { formatEnvironment } from "./environment.ts";
import type { Isolation } from "./isolation.ts";
import type { Leftovers } from "./leftovers.ts";
import {
  createReplicaFolder,
  lockSocket,
  SOCKET_PATH,
  writeReplicaSecret,
} from "./replica-folder.ts";
import type { Settings } from "./settings.ts";
import type { Slots } from "./slots.ts";
import {
  type Exit,
  formatExit,
  isKill,
  type StartedProcess,
  startProcess,
} from "./start-process.ts";

export type ReplicaTools = {
  readonly settings: Settings;
  readonly isolation: Isolation;
  /** Holds one folder per replica. */
  readonly runFolder: string;
  readonly artifacts: string;
  readonly secrets: SecretStore;
  readonly leftovers: Leftovers;
  readonly slots: Slots;
  readonly log: Log;
};

/**
 * How `unshare` of util-linux 2.38 ends, with code 1, when the first process of a replica's world was killed:
 * it cannot take SIGKILL for its own.
 */
const WORLD_KILLED = "unshare: sigprocmask unblock failed: Invalid argument";

/** Start one copy; what goes wrong on the way is the reason in `healthy`. */
export function startReplica(
  tools: ReplicaTools,
  { deployment, earlierSecrets = {} }: Release,
  { append }: ReplicaLog,
): Replica {
  const { settings, slots } = tools;
  const id = randomBytes(4).toString("hex");
  const instance = `${deployment.service}-${id}`;
  const folder = join(tools.runFolder, id);
  const slot = slots.take();
  const userId = settings.firstUserId + slot;
  const gone = new AbortController();
  let killed = false;
  let worldKilled = false;
  const begun = begin();
  const ended = end().catch(describe);

  return {
    instance,
    endpoint: `unix:${join(folder, SOCKET_PATH)}`,
    healthy: probe().catch(describe),
    ended,
    wasKilled: () => killed,
    async refreshSecret(name, value) {
      if (!deployment.secrets?.includes(name)) return;
      // One that is just starting may have read the old value already.
      await begun.catch(() => {});
      if (gone.signal.aborted) return;
      await writeReplicaSecret(folder, userId, name, value);
    },
    async drain(graceMs, drainMs) {
      await sleep(graceMs, undefined, { signal: gone.signal }).catch(() => {});
      const started = await begun.catch(() => undefined);
      started?.kill("SIGTERM");
      const cut = setTimeout(() => started?.kill("SIGKILL"), drainMs);
      await ended;
      clearTimeout(cut);
    },
    async kill() {
      gone.abort();
      const started = await begun.catch(() => undefined);
      started?.kill("SIGKILL");
      await ended;
    },
  };

  async function begin(): Promise<StartedProcess> {
    const artifact = await readArtifact(tools.artifacts, deployment.image);
    await createReplicaFolder(folder, userId);
    for (const name of deployment.secrets ?? [])
      await writeReplicaSecret(
        folder,
        userId,
        name,
        await tools.secrets.read(name, earlierSecrets[name]),
      );
    const launch = tools.isolation.launch({ artifact, folder, userId });
    const env = formatEnvironment(deployment, artifact.env, launch);
    if (gone.signal.aborted) throw new Error("was stopped while starting");
    const started = startProcess(launch, {
      ...env,
      ...(launch.secrets === undefined ? {} : { OPENFAAS_SECRETS: launch.secrets }),
    });
    if (started.pid !== undefined) tools.leftovers.remember(id, started.pid);
    return started;
  }

  async function probe(): Promise<string | undefined> {
    const started = await begun.catch((error: unknown) => describe(error));
    if (typeof started === "string") return started;
    const { path, initialDelayMs } = readProbeSettings(deployment);
    const reason = await awaitHealthy(
      {
        door: "its socket",
        isListening: () => lockSocket(folder),
        ask: () => askHealth({ socketPath: join(folder, SOCKET_PATH) }, path),
        signal: gone.signal,
      },
      { initialDelayMs, settleMs: settings.settleMs, deadlineMs: settings.healthDeadlineMs },
    );
    if (gone.signal.aborted) return await ended;
    useAllCores(started.pid).catch((error: unknown) =>
      tools.log.warn("cores-not-given", { instance, error: describe(error) }),
    );
    return reason;
  }

  async function end(): Promise<string> {
    const reason = await begun.then(follow, (error: unknown) => describe(error));
    gone.abort();
    tools.leftovers.forget(id);
    await rm(folder, { recursive: true, force: true }).catch((error: unknown) =>
      tools.log.error("replica-folder-not-removed", { instance, error: describe(error) }),
    );
    slots.free(slot);
    return reason;
  }

  async function follow(started: StartedProcess): Promise<string> {
    const outputs = started.output.map(copyToLog);
    const exit = await started.ended;
    const isMeant = gone.signal.aborted;
    gone.abort();
    started.killRest();
    // Output is read to its end, unless something that escaped still holds it open.
    await Promise.race([Promise.all(outputs), sleep(1_000, undefined, { ref: false })]);
    const end: Exit = worldKilled ? { code: null, signal: "SIGKILL" } : exit;
    killed = !isMeant && isKill(end);
    return formatExit(end);
  }

  async function copyToLog(output: Readable): Promise<void> {
    const splitter = createLineSplitter();
    try {
      for await (const chunk of output) await appendAll(splitter.push(chunk));
    } catch (error) {
      tools.log.error("function-output-lost", { instance, error: describe(error) });
    }
    await appendAll(splitter.end());
  }

  /** A full disk costs lines, never the function. */
  async function appendAll(lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return;
    if (lines.includes(WORLD_KILLED)) worldKilled = true;
    await append(instance, lines).catch((error: unknown) =>
      tools.log.error("function-log-lost", { instance, error: describe(error) }),
    );
  }
}
