import { setTimeout as sleep } from "node:timers/promises";
import type { Endpoint } from "#provider/provider.ts";
import { describe } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import type { Turns } from "../turns.ts";
import { decideReplicas, decideRestartDelay } from "./decide-replicas.ts";
import { withoutEarlier } from "./earlier-secrets.ts";
import { findFailure } from "./find-failure.ts";
import type { FunctionLog } from "./function-log.ts";
import type { Release } from "./function-record.ts";
import type { Replica, ReplicaSleep, Runtime } from "./runtime.ts";
import type { EngineSettings } from "./settings.ts";
import { createVersionLog } from "./version-log.ts";

export type VersionTools = {
  readonly settings: EngineSettings;
  readonly runtime: Pick<Runtime, "start" | "adopt">;
  readonly log: Log;
  /** Bounds how many replicas start at once. */
  readonly starts: Turns;
  readonly functionLog: Pick<FunctionLog, "append" | "tail" | "lastTime">;
  /** Longest time a replica has to finish its requests. */
  readonly drainMs: number;
  /** The endpoints may have changed. */
  changed(): void;
  /** A serving replica died. */
  died(): void;
};

/** Why a version did not become healthy, and the last lines it printed. */
export type StartFailure = { readonly reason: string; readonly logTail: string };

/** `since` is on the clock of `performance.now()`. */
export type DeathRun = { readonly count: number; readonly since: number };

/** The replicas of one release. */
export type Version = {
  readonly release: Release;
  /** Start `count` replicas; `undefined` once all are healthy. The first failure decides. */
  start(count: number): Promise<StartFailure | undefined>;
  /** Take over what an earlier platform left running; resolves when it is healthy or gone. */
  adopt(): Promise<void>;
  /** Keep `wanted` replicas running from now on; resolves when those just started have settled. */
  serve(wanted: number): Promise<void>;
  endpoints(): Endpoint[];
  /** Why a replica died, while one is missing or until all have lived for a while. */
  problem(): string | undefined;
  /** Replicas that died one after another, none of them after a long life. */
  deathRun(): DeathRun;
  /** Show its replicas a secret's value of now, also where they had an earlier one. */
  refreshSecret(name: string, value: Uint8Array): Promise<void>;
  /** End for good: finish requests, also those of replicas already leaving, within `drainMs`. */
  drain(drainMs?: number): Promise<void>;
  kill(): Promise<void>;
  /** End what has not served yet, and leave what serves to the next platform. */
  letGo(drainMs: number): Promise<void>;
};

type Member = {
  readonly replica: Replica;
  healthySince?: number;
  /** Kept for the next call, and nobody's endpoint. */
  asleep?: boolean;
};

/** Replicas of a starting version that may be killed from outside before that counts as its failure. */
const KILLS_EXCUSED = 3;

export function createVersion(tools: VersionTools, declared: Release): Version {
  const { settings, functionLog } = tools;
  const { say, readTail } = createVersionLog(tools);
  const members = new Set<Member>();
  const leaving = new Map<Replica, Promise<void>>();
  let release = declared;
  let phase: "starting" | "serving" | "stopped" = "starting";
  let wanted = 0;
  let queued = 0;
  let excused = 0;
  let run: DeathRun = { count: 0, since: 0 };
  let problem: string | undefined;
  let diedAt = Number.NEGATIVE_INFINITY;
  let retry: NodeJS.Timeout | undefined;

  return {
    get release() {
      return release;
    },
    async start(count) {
      // Those that something else killed are missing in the end, and are started once more.
      for (let missing = count; missing > 0; missing = count - countHealthy()) {
        const failure = await findFailure(Array.from({ length: missing }, launch));
        if (failure !== undefined) return failure;
        if (run.count > 0) return { reason: problem ?? "died after its probe", logTail: "" };
        if (phase !== "starting") return undefined;
      }
      return undefined;
    },
    async adopt() {
      const found: Member[] = tools.runtime
        .adopt(release, functionLog)
        .map((replica) => ({ replica, asleep: replica.sleep?.isAsleep ?? false }));
      for (const member of found) members.add(member);
      await Promise.all(found.map((member) => (member.asleep ? awaitEnd(member) : settle(member))));
    },
    async serve(count) {
      if (phase === "stopped") return;
      phase = "serving";
      wanted = count;
      await reconcile();
    },
    endpoints: () => [...members].filter(isHealthy).map(({ replica }) => replica.endpoint),
    problem() {
      const lately = performance.now() - diedAt < settings.watchMs;
      const missing = countHealthy() < wanted;
      return lately || missing ? problem : undefined;
    },
    deathRun: () => run,
    async refreshSecret(name, value) {
      release = withoutEarlier(release, name);
      await Promise.all([...members].map(({ replica }) => replica.refreshSecret(name, value)));
    },
    drain,
    async kill() {
      const stopped = stop(({ replica }) => replica.kill());
      await killLeaving();
      await stopped;
    },
    async letGo(drainMs) {
      for (const member of [...members])
        if (isHealthy(member) || member.asleep) members.delete(member);
      await drain(drainMs);
    },
  };

  /** Start one replica and wait for its probe. */
  async function launch(): Promise<StartFailure | undefined> {
    queued++;
    const member = await tools.starts(async () => {
      queued--;
      if (phase === "stopped" || (phase === "serving" && awake().length >= wanted))
        return undefined;
      const started = { replica: tools.runtime.start(release, functionLog) };
      members.add(started);
      // A slow one gives up its turn, so that it holds up nobody else's start.
      const patience = sleep(settings.startTurnMs, undefined, { ref: false });
      await Promise.race([started.replica.healthy, patience]);
      return started;
    });
    if (member === undefined)
      return phase === "stopped"
        ? { reason: "was stopped while starting", logTail: "" }
        : undefined;
    return settle(member);
  }

  async function settle(member: Member): Promise<StartFailure | undefined> {
    const reason = await member.replica.healthy;
    return reason === undefined ? welcome(member) : dismiss(member, reason);
  }

  function welcome(member: Member): undefined {
    member.healthySince = performance.now();
    awaitEnd(member);
    if (members.has(member)) tools.changed();
  }

  function awaitEnd(member: Member): void {
    void member.replica.ended.then((how) => bury(member, how));
  }

  async function dismiss(member: Member, reason: string): Promise<StartFailure | undefined> {
    await member.replica.kill();
    const { instance } = member.replica;
    const logTail = await readTail(instance);
    const meant = !members.delete(member);
    if (isExcused(member)) return undefined;
    if (!meant) noteDeath(instance, reason, 0);
    return { reason: `replica ${instance} ${reason}`, logTail };
  }

  function bury(member: Member, how: string): void {
    // One that was taken out before is meant to end, and one that sleeps is missed by nobody.
    if (!members.delete(member) || member.asleep || isExcused(member)) return;
    noteDeath(member.replica.instance, how, performance.now() - (member.healthySince ?? 0));
    tools.changed();
  }

  /** A replica that something else killed says nothing about its version, a few times. */
  function isExcused({ replica }: Member): boolean {
    if (phase !== "starting" || !replica.wasKilled() || excused >= KILLS_EXCUSED) return false;
    excused++;
    tools.log.warn("replica-killed", { instance: replica.instance });
    return true;
  }

  function noteDeath(instance: string, how: string, livedMs: number): void {
    diedAt = performance.now();
    const goesOn = run.count > 0 && livedMs <= settings.watchMs;
    run = goesOn ? { ...run, count: run.count + 1 } : { count: 1, since: diedAt };
    problem = `replica ${instance} ${how}`;
    if (phase !== "serving") return;
    const delayMs = decideRestartDelay(run.count, settings.restartMs, settings.restartMaxMs);
    tools.log.warn("replica-died", { instance, reason: how, restart_ms: delayMs });
    say(instance, `[platform] ${how}; starting another in ${delayMs} ms`);
    retry ??= setTimeout(() => {
      retry = undefined;
      reconcile().catch((error: unknown) =>
        tools.log.error("replicas-not-started", { error: describe(error) }),
      );
    }, delayMs);
    tools.died();
  }

  async function reconcile(): Promise<void> {
    if (phase !== "serving") return;
    const views = awake().map((member) => ({
      id: member.replica.instance,
      healthy: isHealthy(member),
    }));
    const { start, stop: excess } = decideReplicas(wanted, views);
    for (const member of awake()) if (excess.includes(member.replica.instance)) takeOut(member);
    if (excess.length > 0) tools.changed();
    // While a restart waits its turn, it starts what is missing.
    const missing = retry === undefined ? Math.max(0, start - queued) : 0;
    await Promise.all(Array.from({ length: missing }, bringUp));
  }

  /** The first of a function that goes to sleep is kept where that can be. */
  function takeOut(member: Member): void {
    const isFirst = awake().length === members.size;
    if (wanted === 0 && isFirst && isHealthy(member) && member.replica.sleep !== undefined) {
      member.asleep = true;
      void fallAsleep(member, member.replica.sleep);
    } else remove(member, leave(member, settings.graceMs, tools.drainMs));
  }

  async function fallAsleep(member: Member, sleep: ReplicaSleep): Promise<void> {
    const sleeps = await sleep.fall(settings.graceMs, tools.drainMs);
    if (sleeps || !member.asleep || !members.has(member)) return;
    // Who is still connected has had all the time there is.
    remove(member, member.replica.drain(0, settings.graceMs));
  }

  async function bringUp(): Promise<void> {
    const sleeper = [...members].find(({ asleep }) => asleep);
    if (sleeper?.replica.sleep === undefined) return void (await launch());
    sleeper.asleep = false;
    delete sleeper.healthySince;
    const reason = await sleeper.replica.sleep.wake();
    if (reason !== undefined) return void (await dismiss(sleeper, reason));
    sleeper.healthySince = performance.now();
    if (members.has(sleeper)) tools.changed();
  }

  async function drain(givenMs?: number): Promise<void> {
    const drainMs = givenMs ?? tools.drainMs;
    // A time is given when the platform stops: then gateways send nothing more.
    const graceMs = givenMs === undefined ? settings.graceMs : 0;
    const cut = setTimeout(() => void killLeaving(), graceMs + drainMs);
    await stop((member) => leave(member, graceMs, drainMs));
    clearTimeout(cut);
  }

  async function stop(end: (member: Member) => Promise<void>): Promise<void> {
    phase = "stopped";
    clearTimeout(retry);
    const last = [...members];
    members.clear();
    for (const member of last) track(member.replica, end(member));
    await Promise.all(leaving.values());
  }

  async function killLeaving(): Promise<void> {
    await Promise.all([...leaving.keys()].map((replica) => replica.kill()));
  }

  /** One that never served has nothing to finish. */
  function leave(
    { replica, healthySince }: Member,
    graceMs: number,
    drainMs: number,
  ): Promise<void> {
    return healthySince === undefined ? replica.kill() : replica.drain(graceMs, drainMs);
  }

  function remove(member: Member, end: Promise<void>): void {
    members.delete(member);
    track(member.replica, end);
  }

  function track(replica: Replica, end: Promise<void>): void {
    leaving.set(replica, end);
    void end.finally(() => leaving.delete(replica));
  }

  function awake(): Member[] {
    return [...members].filter(({ asleep }) => !asleep);
  }

  function countHealthy(): number {
    return [...members].filter(isHealthy).length;
  }
}

function isHealthy({ healthySince, asleep }: Member): boolean {
  return healthySince !== undefined && !asleep;
}
