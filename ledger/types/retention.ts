/** How long what has ended is remembered. Times are in milliseconds. */
export type Retention = {
  /** Ended builds go when they are older than this … */
  readonly buildsMs: number;
  /** … or when their owner has this many newer ones. */
  readonly buildsPerOwner: number;
  /** Deliveries that made no build. */
  readonly deliveriesMs: number;
  readonly auditMs: number;
  /** How long a source may repeat a delivery: no build or delivery that is younger goes. */
  readonly repeatMs: number;
  /** Newest builds of a function that served and stay, because it can go back to them. */
  readonly releases: number;
};

/** Rows that went, by kind; a build counts once, with all that is about it. */
export type Pruned = {
  readonly builds: number;
  readonly deliveries: number;
  readonly statuses: number;
  readonly audit: number;
};
