/** What an operator may tune on every engine; every time is in milliseconds. */
export type EngineSettings = {
  /** Longest wait for a replica to pass its probe. */
  readonly healthDeadlineMs: number;
  /** A replica must stay healthy this long before it is routed to. */
  readonly settleMs: number;
  /** Between publishing and SIGTERM, so that gateways have seen the change: busy ones take their time. */
  readonly graceMs: number;
  /** Longest time old replicas have to finish requests; `write_timeout` of a deployment shortens it. */
  readonly drainMs: number;
  /** How long a new version is watched for a crash loop. */
  readonly watchMs: number;
  /** Exits within `watchMs` that make a crash loop. */
  readonly crashLimit: number;
  /** First wait before a dead replica is started again; doubles up to `restartMaxMs`. */
  readonly restartMs: number;
  readonly restartMaxMs: number;
  /** Most replicas of one function, whatever its labels ask for. */
  readonly maxReplicas: number;
  /** Replicas that may be starting at once. */
  readonly startsAtOnce: number;
  /** After this long a starting replica no longer counts as one of those. */
  readonly startTurnMs: number;
  /** Kept log of one function. */
  readonly logBytes: number;
  /** A version at an address of its own sleeps after this long without a call. */
  readonly versionIdleMs: number;
  /** Most such versions awake at once; one more sends the one that was called longest ago to sleep. */
  readonly versionsAwake: number;
};

export const defaultEngineSettings: EngineSettings = {
  healthDeadlineMs: 30_000,
  settleMs: 25,
  graceMs: 1_000,
  drainMs: 30_000,
  watchMs: 10_000,
  crashLimit: 3,
  restartMs: 100,
  restartMaxMs: 30_000,
  maxReplicas: 20,
  startsAtOnce: 8,
  startTurnMs: 1_000,
  logBytes: 4 * 1024 * 1024,
  versionIdleMs: 300_000,
  versionsAwake: 20,
};
