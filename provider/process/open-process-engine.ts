import { randomUUID } from "node:crypto";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Engine, SecretBody } from "#provider/provider.ts";
import { parseDuration } from "#sdk/duration.ts";
import { HttpError } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import type { FunctionDeployment } from "#sdk/messages.ts";
import { FUNCTION_NAMESPACE } from "#sdk/names.ts";
import { createEndpointBoard } from "../endpoint-board.ts";
import { closing, notFound } from "../engine-errors.ts";
import { createTurns } from "../turns.ts";
import { readArtifact } from "./artifact.ts";
import { createFunctionLog, type FunctionLog } from "./function-log.ts";
import { createRecordStore, type FunctionRecord } from "./function-record.ts";
import { findIsolation } from "./isolation.ts";
import { createLeftovers } from "./leftovers.ts";
import { createManagedFunction, type ManagedFunction } from "./managed-function.ts";
import type { ReplicaTools } from "./replica.ts";
import { SOCKET_PATH } from "./replica-folder.ts";
import { createSecretStore } from "./secret-store.ts";
import { defaultSettings, type Settings } from "./settings.ts";
import { createSlots } from "./slots.ts";
import { createVersion } from "./version.ts";

export type ProcessEngine = Engine & {
  /** What keeps functions apart on this machine, for people. */
  readonly isolation: string;
  /** Resolves when every recorded function serves or has failed to start once. */
  ready(): Promise<void>;
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
  const folders = await createFolders(dataFolder, options.runFolder);
  const leftovers = createLeftovers(folders.processes);
  for (const pid of await leftovers.sweep()) log.warn("leftover-process-killed", { pid });
  await removeFiles(folders.run, () => true);
  for (const folder of [folders.functions, folders.secrets])
    await removeFiles(folder, (name) => name.endsWith(".tmp"));

  const isolation = await findIsolation(folders.run, settings);
  const secrets = createSecretStore(folders.secrets);
  const records = createRecordStore(folders.functions);
  const board = createEndpointBoard();
  const logs = new Map<string, FunctionLog>();
  const functions = new Map<string, ManagedFunction>();
  const secretTurn = createTurns(1);
  const starts = createTurns(settings.startsAtOnce);
  const replicaTools: ReplicaTools = {
    settings,
    isolation,
    runFolder: folders.run,
    artifacts,
    secrets,
    leftovers,
    slots: createSlots(),
    log,
  };
  let closed = false;

  const recorded = await records.read();
  const resumed = recorded.map((record) => manage(record.name, record).resume());
  const ready = Promise.all(resumed).then(() => {});

  return {
    kind: "process",
    isolation: isolation.text,
    ready: () => ready,
    async deploy(deployment, { force = false, mode = "any", onDeclared = () => {} } = {}) {
      const { service } = deployment;
      const managed = mode === "update" ? find(service) : manage(service);
      return managed.deploy({ deployment, force, mode, onDeclared });
    },
    remove: async (name) => find(name).remove(),
    scale: async (name, replicas) => find(name).scale(replicas),
    list: async () => present((one) => one.report()),
    status: async (name) => functions.get(name)?.report(),
    inventory: async () => present((one) => one.inventory()),
    endpoints: () => present((one) => one.endpoints()),
    watchEndpoints: board.watch,
    async *logs(query) {
      find(query.name);
      yield* logOf(query.name).read(query);
    },
    listSecrets: secrets.list,
    createSecret: (secret) => secretTurn(() => secrets.create(secret)),
    updateSecret: (secret) => secretTurn(() => updateSecret(secret)),
    removeSecret: (name) => secretTurn(() => secrets.remove(name)),
    async close(drainMs) {
      closed = true;
      await Promise.all([...functions.values()].map((one) => one.close(drainMs)));
    },
  };

  function manage(name: string, record?: FunctionRecord): ManagedFunction {
    const known = functions.get(name);
    if (known !== undefined) return known;
    const functionLog = logOf(name);
    const managed = createManagedFunction(
      name,
      {
        settings,
        records,
        functionLog,
        log,
        check,
        createReleaseId: () => `manual-${randomUUID()}`,
        publish: board.publish,
        createVersion: (release, { isLogged, ...events }) =>
          createVersion(
            {
              ...replicaTools,
              ...events,
              starts,
              drainMs: readDrain(release.deployment, settings.drainMs),
              functionLog: {
                tail: functionLog.tail,
                append: async (instance, texts) =>
                  isLogged() ? functionLog.append(instance, texts) : undefined,
              },
            },
            release,
          ),
      },
      record,
    );
    functions.set(name, managed);
    return managed;
  }

  function find(name: string): ManagedFunction {
    const managed = functions.get(name);
    if (managed?.report() !== undefined) return managed;
    throw notFound(name);
  }

  function present<T>(read: (one: ManagedFunction) => T | undefined): T[] {
    return [...functions.values()].map(read).filter((value) => value !== undefined);
  }

  function logOf(name: string): FunctionLog {
    const known = logs.get(name);
    if (known !== undefined) return known;
    const identity = { name, namespace: FUNCTION_NAMESPACE };
    const created = createFunctionLog(join(folders.logs, name), identity, settings.logBytes);
    logs.set(name, created);
    return created;
  }

  async function check({ image, secrets: wanted = [] }: FunctionDeployment): Promise<void> {
    if (closed) throw closing();
    await readArtifact(artifacts, image);
    for (const name of wanted) {
      if (!(await secrets.has(name)))
        throw new HttpError(
          400,
          "missing-secret",
          `Secret "${name}" does not exist; create it first.`,
        );
    }
  }

  async function updateSecret(secret: SecretBody): Promise<void> {
    await secrets.update(secret);
    const { name, value } = secret;
    await Promise.all([...functions.values()].map((one) => one.refreshSecret(name, value)));
  }
}

/** Time to finish requests: the deployment's `write_timeout` and a second, or the engine's default. */
function readDrain({ envVars }: FunctionDeployment, fallbackMs: number): number {
  const writeTimeoutMs = parseDuration(envVars?.write_timeout ?? "");
  return writeTimeoutMs === undefined ? fallbackMs : writeTimeoutMs + 1_000;
}

async function createFolders(dataFolder: string, runFolder: string) {
  const run = join(runFolder, "fn");
  const longest = join(run, "00000000", SOCKET_PATH);
  if (Buffer.byteLength(longest) > SOCKET_PATH_LIMIT) {
    throw new Error(
      `The run folder's path is too long for Unix sockets (${longest} has more than ${SOCKET_PATH_LIMIT} bytes); choose a shorter --data.`,
    );
  }
  const engine = join(dataFolder, "engine");
  const folders = {
    run,
    functions: join(engine, "functions"),
    secrets: join(engine, "secrets"),
    logs: join(engine, "logs"),
    processes: join(engine, "processes"),
  };
  for (const folder of Object.values(folders))
    await mkdir(folder, { recursive: true, mode: 0o700 });
  return folders;
}

/** Remove what an interrupted platform left behind. */
async function removeFiles(folder: string, isOld: (name: string) => boolean): Promise<void> {
  for (const name of (await readdir(folder)).filter(isOld))
    await rm(join(folder, name), { recursive: true, force: true });
}
