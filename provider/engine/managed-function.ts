import type { FunctionEndpoints, ReleaseIdentity } from "#provider/provider.ts";
import { describe, type HttpError } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import type { FunctionDeployment } from "#sdk/messages.ts";
import { FUNCTION_NAMESPACE } from "#sdk/names.ts";
import { closing, gaveWay, neverHealthy, notFound } from "../engine-errors.ts";
import { createTurns } from "../turns.ts";
import { type DeployMode, decideDeploy } from "./decide-deploy.ts";
import { decideFirstReplicas, decideScale, readScaleLimits } from "./decide-replicas.ts";
import { decideSwitchBack, describeCrashLoop, isCrashLoop } from "./decide-switch-back.ts";
import type { FunctionLog } from "./function-log.ts";
import type { FunctionRecord, Release } from "./function-record.ts";
import { createFunctionViews, type FunctionViews } from "./function-views.ts";
import { createHeldRecord, type HeldRecord, type HeldRecordTools } from "./held-record.ts";
import { facts, identify, showing } from "./report-record.ts";
import type { EngineSettings } from "./settings.ts";
import type { StartFailure, Version } from "./version.ts";

export type FunctionTools = HeldRecordTools & {
  readonly settings: EngineSettings;
  /** Replicas go on serving without the platform. */
  readonly keepsRunning: boolean;
  readonly functionLog: FunctionLog;
  readonly log: Log;
  /** Throws `missing-image` or `missing-secret` when the deployment cannot be started here. */
  check(deployment: FunctionDeployment): Promise<void>;
  createVersion(
    release: Release,
    events: {
      readonly changed: () => void;
      readonly died: () => void;
      /** False once the function was removed: what it still prints is nobody's. */
      readonly isLogged: () => boolean;
    },
  ): Version;
  createReleaseId(): string;
  publish(change: FunctionEndpoints): void;
};

type DeployRequest = {
  readonly deployment: FunctionDeployment;
  readonly mode: DeployMode;
  readonly force: boolean;
  readonly onDeclared: () => void;
};

/** One name, whether a function is deployed under it or not. Changes take turns. */
export type ManagedFunction = {
  /** Start what is recorded; resolves when it serves or has failed once. */
  resume(): Promise<void>;
  deploy(request: DeployRequest): Promise<ReleaseIdentity>;
  remove(): Promise<void>;
  scale(replicas: number): Promise<void>;
  /** The value of now, also where it serves with an earlier one. */
  refreshSecret(name: string, value: Uint8Array): Promise<void>;
  close(drainMs: number): Promise<void>;
} & FunctionViews &
  Pick<HeldRecord, "keepSecretsOf" | "secretsVersion" | "valueIds">;

type Candidate = { readonly version: Version; readonly published: Promise<ReleaseIdentity> };

export function createManagedFunction(
  name: string,
  tools: FunctionTools,
  recorded?: FunctionRecord,
): ManagedFunction {
  const { settings, secrets } = tools;
  const log = tools.log.with({ function: name });
  const inTurn = createTurns(1);
  const retiring = new Set<Version>();
  const held = createHeldRecord(name, tools, recorded);
  const { mustExist, write } = held;
  const views = createFunctionViews(name, { held, secrets, current: () => current });
  let current: Version | undefined;
  let candidate: Candidate | undefined;
  let publishedAt = Number.NEGATIVE_INFINITY;
  let closed = false;
  let life = 0;

  return {
    async resume() {
      const { current: serving, next } = mustExist();
      const begun: Promise<unknown>[] = [];
      if (serving !== undefined) {
        current = createVersion(serving);
        begun.push(takeOver(current, mustExist().replicas));
      }
      if (next !== undefined && next.failed === undefined)
        begun.push(begin(next).published.catch(() => {}));
      publish();
      await Promise.all(begun);
    },
    async deploy(request) {
      const awaited = await inTurn(() => declare(request));
      request.onDeclared();
      return await awaited.published;
    },
    remove: () => inTurn(remove),
    scale: (replicas) => inTurn(() => scale(replicas)),
    report: views.report,
    inventory: views.inventory,
    endpoints: views.endpoints,
    serving: views.serving,
    async refreshSecret(secret, value) {
      await current?.refreshSecret(secret, value);
      await candidate?.version.refreshSecret(secret, value);
      await useCurrent(secret);
    },
    keepSecretsOf: held.keepSecretsOf,
    secretsVersion: held.secretsVersion,
    valueIds: held.valueIds,
    close,
  };

  async function takeOver(version: Version, replicas: number): Promise<void> {
    await Promise.all([version.adopt(), version.serve(replicas)]);
  }

  /** Lines 1 and 2 of design.md section 7; the promise inside resolves when line 4 is reached. */
  async function declare({ deployment, mode, force }: DeployRequest): Promise<{
    readonly published: Promise<ReleaseIdentity>;
  }> {
    refuseWhenClosed();
    const limits = readScaleLimits(deployment, settings.maxReplicas);
    const newRelease = tools.createReleaseId();
    const record = held.read();
    const { act, release } = decideDeploy(record, deployment, { mode, force, newRelease });
    if (act === "serving") return { published: Promise.resolve(identify(release)) };
    if (act === "starting" && candidate !== undefined) return candidate;
    await tools.check(deployment);
    const next = held.withSecrets(release);
    await write({
      v: 1,
      name,
      createdAt: new Date().toISOString(),
      ...record,
      replicas: decideFirstReplicas(record?.replicas, limits),
      fence: next.fence,
      next,
    });
    log.info("release-declared", facts(next));
    return begin(next);
  }

  /** Start a version beside the one that serves; a newer one takes the place of one still starting. */
  function begin(release: Release): Candidate {
    if (candidate !== undefined) retire(candidate.version, (version) => version.kill());
    const version = createVersion(release);
    const begun: Candidate = { version, published: switchTo(version) };
    // Nobody may be waiting; the failure is in the record and the log.
    begun.published.catch(() => {});
    candidate = begun;
    publish();
    return begun;
  }

  async function switchTo(version: Version): Promise<ReleaseIdentity> {
    const failure = await version
      .start(Math.max(1, mustExist().replicas))
      .catch((error: unknown) => ({ reason: describe(error), logTail: "" }));
    return inTurn(async () => {
      if (candidate?.version !== version) {
        await version.kill();
        throw superseded(version.release);
      }
      try {
        if (failure === undefined) return await publishVersion(version);
        return await refuseVersion(version, failure);
      } finally {
        // Also when the record could not be written: then the old version serves on.
        candidate = undefined;
        if (current !== version) retire(version, (failed) => failed.kill());
        publish();
      }
    });
  }

  async function publishVersion(version: Version): Promise<ReleaseIdentity> {
    const { next: _, previous: __, retired: ___, ...rest } = mustExist();
    // Nobody goes back to what gave way.
    const previous = version.release.switchedBack === undefined ? rest.current : undefined;
    await write({
      ...rest,
      current: version.release,
      ...(previous ? { previous } : {}),
      ...held.retireCurrent(),
    });
    const old = current;
    current = version;
    publishedAt = performance.now();
    settle(version.serve(mustExist().replicas));
    publish();
    log.info("release-published", facts(version.release));
    if (old !== undefined) retire(old, (version) => version.drain());
    return identify(version.release);
  }

  async function refuseVersion(version: Version, failure: StartFailure): Promise<never> {
    const failed = { ...version.release, failed: failure.reason };
    log.warn("release-failed", { ...facts(version.release), reason: failure.reason });
    await write({ ...mustExist(), next: failed });
    throw neverHealthy(name, failure.reason, failure.logTail);
  }

  /** Line 6: what crashes again and again right after it was published gives way to what served before. */
  async function judge(version: Version): Promise<void> {
    if (closed || version !== current || candidate !== undefined) return;
    const deaths = version.deathRun();
    const record = held.read();
    if (record === undefined || !isCrashLoop(deaths, publishedAt, settings)) return;
    const reason = describeCrashLoop(version.problem());
    const next = decideSwitchBack(record, version.release, reason);
    if (next === undefined) {
      await noteCrashLoop(record, reason);
      return;
    }
    const from = version.release.release;
    log.error("release-switched-back", { ...facts(next), from, deaths: deaths.count, reason });
    await write({ ...record, fence: next.fence, next });
    begin(next);
  }

  /** With nothing to go back to it is started again and again, and who deployed it hears of it. */
  async function noteCrashLoop(record: FunctionRecord, reason: string): Promise<void> {
    const serving = record.current;
    if (serving === undefined || serving.crashLoop !== undefined) return;
    log.error("release-crash-looping", { ...facts(serving), reason });
    await write({ ...record, current: { ...serving, crashLoop: reason } });
    publish();
  }

  async function useCurrent(secret: string): Promise<void> {
    // Without waiting for a deploy that may take minutes, where nothing is to be done.
    if (held.withoutEarlier(secret) === undefined) return;
    await inTurn(async () => {
      const changed = held.withoutEarlier(secret);
      if (changed !== undefined) await write(changed);
    });
  }

  async function remove(): Promise<void> {
    refuseWhenClosed();
    mustExist();
    await held.remove();
    const serving = current;
    const starting = candidate?.version;
    life++;
    current = undefined;
    candidate = undefined;
    tools.publish({ name, namespace: FUNCTION_NAMESPACE, endpoints: [], replicas: 0 });
    if (serving !== undefined) retire(serving, (version) => version.drain());
    if (starting !== undefined) retire(starting, (version) => version.kill());
    await tools.functionLog.remove();
    log.info("function-removed");
  }

  async function scale(replicas: number): Promise<void> {
    refuseWhenClosed();
    const record = mustExist();
    const shown = showing(record);
    const limits = readScaleLimits(shown.deployment, settings.maxReplicas);
    const wanted = decideScale(replicas, limits);
    if (wanted !== record.replicas) await write({ ...record, replicas: wanted });
    if (current !== undefined) settle(current.serve(wanted));
    publish();
  }

  async function close(drainMs: number): Promise<void> {
    closed = true;
    await inTurn(async () => {
      const serving = tools.keepsRunning ? current?.letGo(drainMs) : current?.drain(drainMs);
      const ends = [...retiring].map((version) => version.drain(drainMs));
      const starting = candidate?.version.kill();
      candidate = undefined;
      await Promise.all([...ends, serving, starting]);
    });
  }

  function createVersion(release: Release): Version {
    const born = life;
    const version: Version = tools.createVersion(release, {
      changed: publish,
      died: () => settle(inTurn(() => judge(version))),
      isLogged: () => born === life,
    });
    return version;
  }

  function publish(): void {
    const endpoints = views.endpoints();
    if (endpoints !== undefined) tools.publish(endpoints);
  }

  /** Let a version end on its own time; `close` shortens that. */
  function retire(version: Version, end: (version: Version) => Promise<void>): void {
    retiring.add(version);
    settle(end(version).finally(() => retiring.delete(version)));
  }

  function settle(work: Promise<void>): void {
    work.catch(noteFailure);
  }

  function noteFailure(error: unknown): void {
    log.error("function-work-failed", { error: describe(error) });
  }

  function superseded(release: Release): HttpError {
    if (closed) return closing();
    const record = held.read();
    return record === undefined ? notFound(name) : gaveWay(name, release, record.fence);
  }

  function refuseWhenClosed(): void {
    if (closed) throw closing();
  }
}
