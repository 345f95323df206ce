import type { Endpoint } from "#provider/provider.ts";
import type { FunctionDeployment } from "#sdk/messages.ts";
import type { Release } from "./function-record.ts";

/** What an engine brings: copies of a release on one machine. */
export type Runtime = {
  /** `process`, `docker` …, for `/system/info`. */
  readonly kind: string;
  /** Replicas go on serving without the platform, and are there to be adopted by the next. */
  readonly keepsRunning: boolean;
  /** Throws `missing-image` or `invalid` when it cannot be started here. */
  check(deployment: FunctionDeployment): Promise<void>;
  /** Start one copy; what goes wrong on the way is the reason in `healthy`. */
  start(release: Release, log: ReplicaLog): Replica;
  /** Copies of exactly this release that an earlier platform left running; given out once. */
  adopt(release: Release, log: ReplicaLog): readonly Replica[];
};

/** One running copy of a function. */
export type Replica = {
  /** `<function>-<8 hex digits>`. */
  readonly instance: string;
  /** Read once it is healthy: an address may come late. */
  readonly endpoint: Endpoint;
  /** `undefined` once it answers its probe, else why it never did. */
  readonly healthy: Promise<string | undefined>;
  /** Why and how it ended, once it is gone with all that belonged to it. */
  readonly ended: Promise<string>;
  /** It is gone because something else than the platform sent SIGKILL: a person, or a machine short of memory. */
  wasKilled(): boolean;
  /** Show a running replica a secret's new value. */
  refreshSecret(name: string, value: Uint8Array): Promise<void>;
  /** Let it finish its requests: SIGTERM after `graceMs`, SIGKILL `drainMs` later. */
  drain(graceMs: number, drainMs: number): Promise<void>;
  kill(): Promise<void>;
  /** Absent where replicas are not kept while their function sleeps. */
  readonly sleep?: ReplicaSleep;
};

/** A replica that is kept, stopped in its tracks, while nobody calls its function. */
export type ReplicaSleep = {
  /** An earlier platform left it asleep; then it was not probed. */
  readonly isAsleep: boolean;
  /** True once it sleeps: after `graceMs`, when nobody is connected to it. False when somebody still is `limitMs` later, or it was woken. */
  fall(graceMs: number, limitMs: number): Promise<boolean>;
  /** Also while it falls asleep. `undefined` once it answers its probe, else why it does not. */
  wake(): Promise<string | undefined>;
};

/** Receives what replicas print. */
export type ReplicaLog = {
  /** `time` is RFC 3339, now when absent; while the promise is pending the replica is slowed down. */
  append(instance: string, texts: readonly string[], time?: string): Promise<void>;
  /** Time of the newest line that is kept of a replica. */
  lastTime(instance: string): Promise<string | undefined>;
};
