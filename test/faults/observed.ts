/** What is to be seen of a platform once it is quiet; made by `observe.ts`, judged by `model.ts`. */
export type SeenBuild = {
  readonly id: string;
  /** `forge:alice/shop` */
  readonly repository: string;
  readonly branch: string;
  readonly sha: string;
  readonly generation: number;
  readonly state: string;
  readonly reason: string;
  /** A function of it crashed again and again afterwards, and an earlier version serves in its place. */
  readonly gaveWay: boolean;
};

export type SeenStatus = {
  readonly context: string;
  readonly state: string;
  readonly description: string;
};

export type SeenRelease = {
  readonly service: string;
  readonly buildId: string;
  readonly id: string;
  readonly fence: number;
  readonly state: string;
  /** Of the commit whose content it is. */
  readonly sha: string;
  /** Somebody put it back by hand; it stays until a push changes the function. */
  readonly isRollback: boolean;
};

/** What the engine has on disk about a function. */
export type SeenRecord = {
  readonly service: string;
  /** Of the release that serves; a later one that failed had a higher fence. */
  readonly fence: number;
  readonly release: string;
  /** A release that was declared and neither published nor given up. */
  readonly pending: boolean;
  /** The engine went back to it by itself. */
  readonly switchedBack: boolean;
};

export type Observed = {
  readonly builds: readonly SeenBuild[];
  /** By `<repository> <sha>`: what the ledger wants shown, and what the source shows. */
  readonly wanted: ReadonlyMap<string, readonly SeenStatus[]>;
  readonly shown: ReadonlyMap<string, readonly SeenStatus[]>;
  readonly releases: readonly SeenRelease[];
  readonly records: readonly SeenRecord[];
  /** Newest commit of each repository's main branch at its source. */
  readonly heads: ReadonlyMap<string, string>;
  /** What each function answers. */
  readonly answers: ReadonlyMap<string, string>;
  /** Different answers of each function in the order in which callers saw them. */
  readonly history: ReadonlyMap<string, readonly string[]>;
};
