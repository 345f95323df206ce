import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { Engine, KeptVersion, SecretBody } from "#provider/provider.ts";
import { describe, HttpError } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import type { FunctionDeployment } from "#sdk/messages.ts";
import { FUNCTION_NAMESPACE } from "#sdk/names.ts";
import { createEndpointBoard } from "../endpoint-board.ts";
import { closing, notFound } from "../engine-errors.ts";
import { createTurns } from "../turns.ts";
import type { EngineFolder } from "./engine-folder.ts";
import { createFunctionLog, type FunctionLog } from "./function-log.ts";
import type { FunctionRecord, RecordStore, Release } from "./function-record.ts";
import { createManagedFunction, type ManagedFunction } from "./managed-function.ts";
import { readDrain } from "./read-drain.ts";
import type { Runtime } from "./runtime.ts";
import type { SecretStore } from "./secret-store.ts";
import type { EngineSettings } from "./settings.ts";
import { createVersion, type Version, type VersionTools } from "./version.ts";
import { createVersionShelf } from "./version-shelf.ts";

/** An engine of one machine. */
export type LocalEngine = Engine & {
  /** Resolves when every recorded function serves or has failed to start once. */
  ready(): Promise<void>;
};

type VersionEvents = Pick<VersionTools, "changed" | "died"> & { readonly isLogged: () => boolean };

export type EngineTools = {
  readonly runtime: Runtime;
  readonly settings: EngineSettings;
  readonly folder: EngineFolder;
  readonly records: RecordStore;
  readonly secrets: SecretStore;
  readonly log: Log;
};

/** The engine contract over a runtime (design.md section 7); what is in `recorded` begins to serve. */
export function createEngine(
  { runtime, settings, folder, records, secrets, log }: EngineTools,
  recorded: readonly FunctionRecord[],
): LocalEngine {
  const board = createEndpointBoard();
  const logs = new Map<string, FunctionLog>();
  const functions = new Map<string, ManagedFunction>();
  const secretTurn = createTurns(1);
  const starts = createTurns(settings.startsAtOnce);
  const shelf = createVersionShelf({
    settings,
    log,
    check,
    // Its lines are the function's, told apart by the replica.
    createVersion: (service, release, events) =>
      startVersion(service, release, {
        ...events,
        isLogged: () => functions.get(service)?.report() !== undefined,
      }),
    serving: (service) => functions.get(service)?.serving(),
    publish: board.publish,
  });
  let closed = false;
  let isSweepDue = false;

  const resumed = recorded.map((record) => manage(record.name, record).resume());
  const ready = Promise.all(resumed).then(() => {});
  sweepSoon();

  return {
    kind: runtime.kind,
    ready: () => ready,
    async deploy(deployment, { force = false, mode = "any", onDeclared = () => {} } = {}) {
      const { service } = deployment;
      const managed = mode === "update" ? find(service) : manage(service);
      return managed.deploy({ deployment, force, mode, onDeclared });
    },
    async remove(name) {
      await find(name).remove();
      keepVersions(name, []);
    },
    scale: async (name, replicas) => find(name).scale(replicas),
    list: async () => present((one) => one.report()),
    status: async (name) => functions.get(name)?.report() ?? shelf.report(name),
    inventory: async () => present((one) => one.inventory()),
    endpoints: () => [...present((one) => one.endpoints()), ...shelf.endpoints()],
    watchEndpoints: board.watch,
    async *logs(query) {
      const service = shelf.serviceOf(query.name);
      if (service === undefined) find(query.name);
      const log = logOf(service ?? query.name);
      yield* log.read(query, service === undefined ? undefined : query.name);
    },
    keepVersions,
    wake: shelf.wake,
    versionImages: shelf.images,
    listSecrets: secrets.list,
    createSecret: (secret) => secretTurn(() => secrets.create(secret)),
    updateSecret: (secret) => secretTurn(() => updateSecret(secret)),
    removeSecret: (name) => secretTurn(() => secrets.remove(name)),
    forgetEarlierSecret: (name) => secretTurn(() => forgetEarlier(name)),
    secretsVersion: (service, { release, secrets: names }) =>
      find(service).secretsVersion(release, names),
    async close(drainMs) {
      closed = true;
      const ends = [...functions.values()].map((one) => one.close(drainMs));
      await Promise.all([...ends, shelf.close(drainMs)]);
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
        keepsRunning: runtime.keepsRunning,
        records,
        secrets,
        functionLog,
        log,
        check,
        createReleaseId: () => `manual-${randomUUID()}`,
        publish(change) {
          board.publish(change);
          shelf.servingChanged(name);
        },
        createVersion: (release, events) => startVersion(name, release, events),
      },
      record,
    );
    functions.set(name, managed);
    return managed;
  }

  /** Of the function `name`, in whose log its replicas write. */
  function startVersion(
    name: string,
    release: Release,
    { isLogged, ...events }: VersionEvents,
  ): Version {
    const functionLog = logOf(name);
    return createVersion(
      {
        ...events,
        settings,
        runtime,
        log,
        starts,
        drainMs: readDrain(release.deployment, settings.drainMs),
        functionLog: {
          ...functionLog,
          append: async (...lines) => (isLogged() ? functionLog.append(...lines) : undefined),
        },
      },
      release,
    );
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
    const created = createFunctionLog(join(folder.logs, name), identity, settings.logBytes);
    logs.set(name, created);
    return created;
  }

  async function check(deployment: FunctionDeployment): Promise<void> {
    if (closed) throw closing();
    await runtime.check(deployment);
    for (const name of deployment.secrets ?? []) {
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
    await showSecret(secret);
    await sweepSecrets();
  }

  async function forgetEarlier(name: string): Promise<void> {
    await secrets.forgetEarlier(name);
    await showSecret({ name, value: await secrets.read(name) });
  }

  /** To all that ask for it. */
  async function showSecret({ name, value }: SecretBody): Promise<void> {
    const all = [...functions.values(), shelf];
    await Promise.all(all.map((one) => one.refreshSecret(name, value)));
  }

  function keepVersions(service: string, versions: readonly KeptVersion[]): void {
    shelf.keep(service, versions);
    const releases = versions.map(({ release, secretsOf = release }) => secretsOf);
    functions.get(service)?.keepSecretsOf(new Set(releases));
    sweepSoon();
  }

  /** Many functions' versions are said at once. */
  function sweepSoon(): void {
    if (isSweepDue) return;
    isSweepDue = true;
    void secretTurn(async () => {
      isSweepDue = false;
      await sweepSecrets();
    });
  }

  async function sweepSecrets(): Promise<void> {
    // Looked at anew for each: a switch or a roll-back may begin meanwhile.
    const isUsed = (id: string) => functions.values().some((one) => one.valueIds().includes(id));
    await secrets
      .sweep(isUsed)
      .catch((error: unknown) => log.error("secrets-not-swept", { error: describe(error) }));
  }
}
