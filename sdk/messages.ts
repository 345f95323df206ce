import type { BasePins } from "#sdk/base-pin.ts";

/**
 * What travels between the platform's functions, with the wire names of spec/pipeline.md section 4 where
 * one exists. Shapes that outlive a process carry `v`; an unknown `v` is retried later, never dropped.
 */

/** Work for a pipeline function; the ledger holds everything else about the build. */
export type Job = {
  readonly v: 1;
  readonly buildId: string;
  /** `run` fetches, plans, builds and deploys; `status` sends what the commit should show. */
  readonly step: "run" | "status";
};

type Resources = { readonly memory?: string; readonly cpu?: string };

/** Body of POST and PUT `/system/functions` (spec/openfaas-api.md section 2.1). */
export type FunctionDeployment = {
  readonly service: string;
  /** Image reference; with the process engine `<name>:<tag>@sha256:<digest>` of a host-built artefact. */
  readonly image: string;
  readonly namespace?: string;
  readonly envProcess?: string;
  readonly envVars?: Readonly<Record<string, string>>;
  readonly constraints?: readonly string[];
  readonly secrets?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly limits?: Resources;
  readonly requests?: Resources;
  readonly readOnlyRootFilesystem?: boolean;
};

/** An item of GET `/system/functions` (spec/openfaas-api.md section 2.2). */
export type FunctionStatus = Omit<FunctionDeployment, "service" | "labels" | "annotations"> & {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly invocationCount: number;
  readonly replicas: number;
  readonly availableReplicas: number;
  /** RFC 3339. */
  readonly createdAt: string;
};

/** Body of `garbage-collect`: delete the owner's functions of `repo` that are not in `functions`. */
export type GarbageRequest = {
  /** Function keys as in stack.yml, without the owner. */
  readonly functions: readonly string[];
  /** Repository name, or `*` for all of the owner's. */
  readonly repo: string;
  readonly owner: string;
  /** `<scm>:<numeric id>`; rights compare this, never `owner`. */
  readonly ownerId: string;
  /** `<scm>:<numeric id>`; finds a renamed repository where the name would not. */
  readonly repositoryId?: string;
  /** Build whose plan `functions` is: what newer builds of its branch plan is kept too. */
  readonly buildId?: string;
  /** Unix milliseconds of what made the functions garbage: builds accepted later are left alone. */
  readonly before?: number;
};

/** Body of `audit-event` (capitalised on the wire as ever). */
export type AuditEvent = {
  readonly v: 1;
  readonly Source: string;
  readonly Message: string;
  readonly Owner: string;
  readonly Repo: string;
};

/** Body of POST `pipeline-log`. */
export type PipelineLog = {
  /** `<owner>/<repo>`. */
  readonly RepoPath: string;
  readonly CommitSHA: string;
  readonly Function: string;
  readonly Source: string;
  readonly Data: string;
};

/** Whose failure it is where it is not the commit's: no push of a fix would mend it. */
export type Fault = "platform";

/**
 * One line of what happens to a build, as `pipeline-log?build=…&follow=true` and the forge's `remote:`
 * lines tell it. `ms` counts from the start of the step it ends.
 */
export type BuildEvent = {
  readonly v: 1;
  /** Unix milliseconds. */
  readonly at: number;
} & (
  | {
      readonly type: "planned";
      readonly repository: string;
      readonly sha: string;
      readonly functions: readonly {
        readonly name: string;
        readonly lang: string;
        readonly action: "build" | "deploy" | "unchanged";
      }[];
    }
  | { readonly type: "fetched"; readonly ms: number }
  | { readonly type: "waiting"; readonly reason: string }
  | {
      readonly type: "function";
      readonly name: string;
      readonly step:
        | "building"
        | "built"
        | "cached"
        | "starting"
        | "healthy"
        | "unchanged"
        | "failed"
        | "removed";
      readonly ms?: number;
      readonly reason?: string;
      readonly fault?: Fault;
    }
  /** What stack.yml asked for and does not get. */
  | { readonly type: "note"; readonly text: string }
  | { readonly type: "log"; readonly name: string; readonly text: string }
  | {
      readonly type: "ended";
      readonly state: TerminalBuildState;
      readonly reason: string;
      readonly fault?: Fault;
      readonly ms: number;
      readonly urls: readonly FunctionUrl[];
    }
);

/** Where a function answers: through the gateway's path, and by its owner's host name. */
export type FunctionUrl = {
  readonly name: string;
  readonly url: string;
  readonly prettyUrl?: string;
};

/** States a build never leaves (design.md section 6, line 3). */
export const TERMINAL_BUILD_STATES = [
  "live",
  "failed",
  "superseded",
  "cancelled",
  "skipped",
] as const;
export type TerminalBuildState = (typeof TERMINAL_BUILD_STATES)[number];

/** A line of the builder's NDJSON answer (spec/faas-cli.md section 8.2). */
export type BuildLine = {
  readonly log?: readonly string[];
  readonly image?: string;
  readonly status: "in_progress" | "success" | "failed";
  readonly error?: string;
  /** Of `failed`: the builder could not go on, through no fault of the context; the same call may succeed later. */
  readonly retryable?: boolean;
  /** Seconds. */
  readonly duration?: number;
  /** `sha256:…` of what was built, on the last line. */
  readonly digest?: string;
  readonly sizeBytes?: number;
};

/** `com.openfaas.docker.config` inside a build context (spec/faas-cli.md section 8.1). */
export type BuildConfig = {
  readonly v: 1;
  readonly image: string;
  /** Template's own name, for the host builder. */
  readonly lang?: string;
  readonly buildArgs?: Readonly<Record<string, string>>;
  readonly platforms?: readonly string[];
  /** Build, and push nowhere: `faas-cli build` with a remote builder. */
  readonly skipPush?: true;
  /** Whose cache and quota this is. */
  readonly ownerId?: string;
  /** What base images were when the build was planned; names alone decide when absent. */
  readonly bases?: BasePins;
};
