/** What an operator may tune; every time is in milliseconds. */
export type Settings = {
  /** Longest wait for a replica to pass its probe. */
  readonly healthDeadlineMs: number;
  /** A replica must stay healthy this long before it is routed to. */
  readonly settleMs: number;
  /** Between publishing and SIGTERM, so that gateways have seen the change. */
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
  /** Most processes and threads of a replica that has a user of its own. */
  readonly processLimit: number;
  /** Kept log of one function. */
  readonly logBytes: number;
  /** Writable space of a replica's own `/tmp`, as `mount` takes it. */
  readonly tmpLimit: string;
  /** `PATH` of functions, after the platform's own Node. */
  readonly path: string;
  /** User ids that replicas get, from this one up, when the platform runs as root. */
  readonly firstUserId: number;
  /** `auto` takes the strongest isolation that works here. */
  readonly isolation: "auto" | "none";
  /** Folder that holds `watchdog/`, `sdk/` and `node_modules/`. */
  readonly projectFolder: string;
};

export const defaultSettings: Settings = {
  healthDeadlineMs: 30_000,
  settleMs: 40,
  graceMs: 100,
  drainMs: 30_000,
  watchMs: 10_000,
  crashLimit: 3,
  restartMs: 100,
  restartMaxMs: 30_000,
  maxReplicas: 20,
  startsAtOnce: 8,
  startTurnMs: 1_000,
  processLimit: 1_024,
  logBytes: 4 * 1024 * 1024,
  tmpLimit: "256m",
  path: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  firstUserId: 61_184,
  isolation: "auto",
  projectFolder: new URL("../..", import.meta.url).pathname.replace(/\/$/, ""),
};
