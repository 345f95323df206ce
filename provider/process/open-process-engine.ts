import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "#sdk/log.ts";
import { createEngine, type LocalEngine } from "../engine/create-engine.ts";
import { emptyFolder, openEngineFolder } from "../engine/engine-folder.ts";
import { createRecordStore } from "../engine/function-record.ts";
import { openSecretStore } from "../engine/secret-store.ts";
import { readArtifact } from "./artifact.ts";
import { findIsolation } from "./isolation.ts";
import { createLeftovers } from "./leftovers.ts";
import { type ReplicaTools, startReplica } from "./replica.ts";
import { SOCKET_PATH } from "./replica-folder.ts";
import { defaultSettings, type Settings } from "./settings.ts";
import { createSlots } from "./slots.ts";

export type ProcessEngine = LocalEngine & {
  /** What keeps functions apart on this machine, for people. */
  readonly isolation: string;
};

export type ProcessEngineOptions = {
  /** `engine/` inside it is this engine's; nobody else may use it at the same time. */
  readonly dataFolder: string;
  /** For sockets and scratch files; `fn/` inside it is this engine's and emptied at open. */
  readonly runFolder: string;
  /** Folder of host-built images, `<digest>/artifact.json` and `<digest>/root/`. */
  readonly artifacts: string;
  readonly log: Log;
  readonly settings?: Partial<Settings>;
};

/** Longest path of a Unix socket that every system takes. */
const SOCKET_PATH_LIMIT = 103;

/** Run functions as child processes. Ends leftovers, then starts again what is recorded. */
export async function openProcessEngine(options: ProcessEngineOptions): Promise<ProcessEngine> {
  const { dataFolder, artifacts, log } = options;
  const settings = { ...defaultSettings, ...options.settings };
  const runFolder = join(options.runFolder, "fn");
  checkSocketPath(runFolder);
  const folder = await openEngineFolder(dataFolder);
  const processes = join(folder.path, "processes");
  for (const one of [runFolder, processes]) await mkdir(one, { recursive: true, mode: 0o700 });
  const leftovers = createLeftovers(processes);
  for (const pid of await leftovers.sweep()) log.warn("leftover-process-killed", { pid });
  await emptyFolder(runFolder);

  const isolation = await findIsolation(runFolder, settings);
  const secrets = await openSecretStore(folder);
  const records = createRecordStore(folder.functions);
  const slots = createSlots();
  const tools: ReplicaTools = {
    settings,
    isolation,
    runFolder,
    artifacts,
    secrets,
    leftovers,
    slots,
    log,
  };
  const engine = createEngine(
    {
      runtime: {
        kind: "process",
        keepsRunning: false,
        async check({ image }) {
          await readArtifact(artifacts, image);
        },
        start: (release, replicaLog) => startReplica(tools, release, replicaLog),
        adopt: () => [],
      },
      settings,
      folder,
      records,
      secrets,
      log,
    },
    await records.read(),
  );
  return { ...engine, isolation: isolation.text };
}

function checkSocketPath(runFolder: string): void {
  const longest = join(runFolder, "00000000", SOCKET_PATH);
  if (Buffer.byteLength(longest) <= SOCKET_PATH_LIMIT) return;
  throw new Error(
    `The run folder's path is too long for Unix sockets (${longest} has more than ${SOCKET_PATH_LIMIT} bytes); choose a shorter --data.`,
  );
}
