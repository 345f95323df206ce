import type { FunctionDeployment, FunctionStatus } from "#sdk/messages.ts";

/** Where the gateway reaches one replica: `unix:/path/to/socket` or `http://10.0.0.3:8080`. */
export type Endpoint = string;

/** What the gateway needs to route to a function. */
export type FunctionEndpoints = {
  readonly name: string;
  readonly namespace: string;
  /** Replicas that take new requests, in no order. Empty while asleep or starting. */
  readonly endpoints: readonly Endpoint[];
  /** Desired replicas. */
  readonly replicas: number;
  /** Slug of the owner whose host serves it, when the deployment is labelled with one. */
  readonly owner?: string;
  /**
   * Only of what sleeps while nobody calls it: after this many milliseconds without a `wake` it is stopped.
   * While `replicas` is 0, whoever wants to call it wakes it first.
   */
  readonly idleMs?: number;
};

/** A version of a function that has a name, and so an address, of its own. */
export type KeptVersion = ReleaseIdentity & {
  /** `cart--1a2b3c4`. */
  readonly name: string;
  /** As the function was deployed; the function's name is in it. */
  readonly deployment: FunctionDeployment;
  /** RFC 3339; when it was released. */
  readonly createdAt: string;
  /** The release of it whose secrets' values are kept, when that is an earlier one because this one serves. */
  readonly secretsOf?: string;
};

/** A release a deploy carries; read from labels `release` and `fence`, or made by the engine. */
export type ReleaseIdentity = {
  readonly release: string;
  /** Grows with every deploy of a function; a lower one is refused with 409. */
  readonly fence: number;
};

/** A function as lists and status calls tell it. */
export type FunctionReport = FunctionStatus & {
  /** Why it does not serve as asked: a failed release, a crash loop. Absent while all is well. */
  readonly problem?: string;
  /** Names of the secrets that it serves with earlier values of; absent when there are none. */
  readonly earlierSecrets?: readonly string[];
};

/** The engine went back by itself to what served before (design.md section 7, line 6). */
export type SwitchedBack = {
  /** What gave way. */
  readonly from: ReleaseIdentity;
  /** `crash loop: replica cart-1f2e3d4c exited with code 7` */
  readonly reason: string;
};

/**
 * What the engine says it serves (design.md section 6, line 10). A change of it comes with a change of the
 * function's endpoints, so whoever watches those knows when to read this again.
 */
export type InventoryItem = {
  readonly name: string;
  readonly current: ReleaseIdentity;
  /** Why `current` serves although something newer was published; durable, until the next is published. */
  readonly switchedBack?: SwitchedBack;
  /**
   * `current` dies over and over, and began to as soon as it was published; nothing served before that it could
   * give way to. As the reason of a switch back; absent once it lives.
   */
  readonly crashLoop?: string;
  readonly status: FunctionStatus;
};

export type LogLine = {
  readonly name: string;
  readonly namespace: string;
  /** Replica id. */
  readonly instance: string;
  /** RFC 3339 with milliseconds. */
  readonly timestamp: string;
  readonly text: string;
};

export type LogQuery = {
  readonly name: string;
  readonly instance?: string;
  /** Last lines to begin with; all that are kept when absent. */
  readonly tail?: number;
  readonly since?: Date;
  readonly follow: boolean;
  readonly signal: AbortSignal;
};

export type SecretBody = { readonly name: string; readonly value: Uint8Array };

/**
 * Where function deployments become replicas. Failures are HttpErrors whose code is one of:
 * `not-found` 404, `exists` 409, `owned-by-another` 409, `stale-fence` 409 (message names the fence in
 * force), `invalid` 400, `missing-secret` 400, `missing-image` 400, `never-healthy` 424 (message holds
 * the reason, `cause` the log tail), `closing` 503,
 * `docker-away` 503, `not-recorded` 507, `secrets-not-kept` 409.
 */
export type Engine = {
  /** `process`, `docker` …, for `/system/info`. */
  readonly kind: string;
  /**
   * Create or replace. Resolves when the release is published (all replicas passed their probe twice) and
   * rejects with `never-healthy` when it does not become so; the old version keeps serving then. A known
   * release is a success without effect, a lower fence `stale-fence`. Durable before anything starts.
   * Deploying over a function whose owner id and repository id labels differ is `owned-by-another`
   * unless `force`. Without a release label the engine makes both, fence = current + 1. A `secretsVersion`
   * label brings back the values that secrets had then, for this release alone and until they are updated;
   * without it they are those of now.
   */
  deploy(
    deployment: FunctionDeployment,
    options?: {
      readonly force?: boolean;
      readonly mode?: "create" | "update" | "any";
      /** Called once, when the release is valid and durable; not called when `deploy` rejects before. */
      readonly onDeclared?: () => void;
    },
  ): Promise<ReleaseIdentity>;
  remove(name: string): Promise<void>;
  /** Resolves when the wanted number is recorded; endpoints follow. Zero is allowed. */
  scale(name: string, replicas: number): Promise<void>;
  /** Without versions. */
  list(): Promise<FunctionReport[]>;
  /** Of a function, or of a version by its own name. */
  status(name: string): Promise<FunctionReport | undefined>;
  /**
   * All versions of a function that can be called by names of their own. The one that serves is reached there
   * too, the others sleep until they are woken. Values that their secrets had when they last served are kept,
   * others' not. Nothing of this is durable: whoever opens the engine says it.
   */
  keepVersions(service: string, versions: readonly KeptVersion[]): void;
  /**
   * Start a version, or put its sleep off by `idleMs`; resolves when it serves. Rejects with `not-found`,
   * with what `deploy` refuses an image or a secret with, or with `never-healthy`.
   */
  wake(name: string): Promise<void>;
  /** Images of versions that run, or are still ending. */
  versionImages(): readonly string[];
  inventory(): Promise<InventoryItem[]>;
  /** All endpoint sets now. */
  endpoints(): readonly FunctionEndpoints[];
  /** Called with the function's whole set after each change; `endpoints` empty and `replicas` 0 after removal. Returns the unsubscriber. */
  watchEndpoints(changed: (change: FunctionEndpoints) => void): () => void;
  logs(query: LogQuery): AsyncIterable<LogLine>;
  listSecrets(): Promise<string[]>;
  /** `exists` when it is there. */
  createSecret(secret: SecretBody): Promise<void>;
  /** Functions that serve with an earlier value of it get this one. */
  updateSecret(secret: SecretBody): Promise<void>;
  /** With the earlier values that are kept of it. */
  removeSecret(name: string): Promise<void>;
  /** Its earlier values alone; functions that serve with one get the value of now. */
  forgetEarlierSecret(name: string): Promise<void>;
  /** For the label of a deploy that brings back what a retired release's secrets were. Throws `secrets-not-kept`. */
  secretsVersion(
    service: string,
    retired: { readonly release: string; readonly secrets: readonly string[] },
  ): string;
  /** Stop replicas that this engine cannot leave running (process engine: all), gracefully within `drainMs`. */
  close(drainMs: number): Promise<void>;
};
