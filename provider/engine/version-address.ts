import type { FunctionEndpoints, FunctionReport, KeptVersion } from "#provider/provider.ts";
import { describe, HttpError } from "#sdk/errors.ts";
import { labels } from "#sdk/labels.ts";
import type { Log } from "#sdk/log.ts";
import type { FunctionDeployment } from "#sdk/messages.ts";
import { FUNCTION_NAMESPACE, toSlug } from "#sdk/names.ts";
import { neverHealthy, notFound } from "../engine-errors.ts";
import { formatReport } from "../format-report.ts";
import type { Release } from "./function-record.ts";
import type { EngineSettings } from "./settings.ts";
import type { StartFailure, Version, VersionTools } from "./version.ts";

export type VersionAddressTools = {
  readonly settings: EngineSettings;
  readonly log: Log;
  /** Throws what a deploy of it would be refused with. */
  check(deployment: FunctionDeployment): Promise<void>;
  createVersion(
    service: string,
    release: Release,
    events: Pick<VersionTools, "changed" | "died">,
  ): Version;
  /** What the function serves, and where. */
  serving(
    service: string,
  ): { readonly release: Release; readonly at: FunctionEndpoints } | undefined;
  publish(change: FunctionEndpoints): void;
  /** Versions on their way out, and when they are. */
  readonly ending: Map<Version, Promise<void>>;
};

/** One version of a function under its own name: reached where the function is while it serves, else started when woken. */
export type VersionAddress = {
  readonly service: string;
  readonly name: string;
  readonly release: Release;
  wake(): Promise<void>;
  sleep(): void;
  /** Sleep for good, within `drainMs` when given. */
  end(drainMs?: number): void;
  /** Whether it has replicas of its own, or is about to. */
  state(): "asleep" | "waking" | "awake";
  /** On the clock of `performance.now()`. */
  calledAt(): number;
  /** Tell where it is reached now. */
  publish(): void;
  endpoints(): FunctionEndpoints;
  report(): FunctionReport;
  refreshSecret(name: string, value: Uint8Array): Promise<void>;
};

/** How long one that did not start is answered for without another try, in milliseconds. */
const REFUSED_MS = 5_000;

export function createVersionAddress(
  tools: VersionAddressTools,
  service: string,
  { name, release: id, fence, deployment, createdAt }: KeptVersion,
): VersionAddress {
  const { settings, ending } = tools;
  const log = tools.log.with({ function: name });
  const release: Release = { release: id, fence, deployment: { ...deployment, service: name } };
  let version: Version | undefined;
  let waking: Promise<void> | undefined;
  let refused: { readonly error: unknown; readonly until: number } | undefined;
  let calledAt = performance.now();
  let idle: NodeJS.Timeout | undefined;
  let isOver = false;

  return {
    service,
    name,
    release,
    async wake() {
      calledAt = performance.now();
      clearTimeout(idle);
      if (findServing() !== undefined) return;
      if (version === undefined) waking ??= start().finally(() => (waking = undefined));
      await waking;
      clearTimeout(idle);
      idle = setTimeout(sleep, settings.versionIdleMs).unref();
    },
    sleep,
    end(drainMs) {
      isOver = true;
      leave(drainMs);
    },
    state() {
      if (waking !== undefined) return "waking";
      return version === undefined ? "asleep" : "awake";
    },
    calledAt: () => calledAt,
    publish,
    endpoints,
    report() {
      const { endpoints: ready, replicas } = endpoints();
      const availableReplicas = ready.length;
      return formatReport(release.deployment, { replicas, availableReplicas, createdAt });
    },
    async refreshSecret(secret, value) {
      await version?.refreshSecret(secret, value);
    },
  };

  async function start(): Promise<void> {
    if (refused !== undefined && performance.now() < refused.until) throw refused.error;
    try {
      await tools.check(release.deployment);
      await startVersion();
      refused = undefined;
    } catch (error) {
      if (!isPassing(error)) refused = { error, until: performance.now() + REFUSED_MS };
      throw error;
    }
  }

  async function startVersion(): Promise<void> {
    if (isOver) throw notFound(name);
    const begun = tools.createVersion(service, release, { changed: publish, died() {} });
    version = begun;
    publish();
    const failure = await begun.start(1).catch(toFailure);
    if (version !== begun) {
      if (findServing() !== undefined) return;
      throw notFound(name);
    }
    if (failure !== undefined) {
      version = undefined;
      publish();
      retire(begun, begun.kill());
      throw neverHealthy(name, failure.reason, failure.logTail);
    }
    settle(begun.serve(1));
    publish();
    log.info("version-woken", { release: id });
  }

  function sleep(): void {
    if (version !== undefined) log.info("version-asleep", { release: id });
    leave();
    publish();
  }

  /** What it is asked finishes; who asks from now on wakes it again. */
  function leave(drainMs?: number): void {
    clearTimeout(idle);
    const last = version;
    version = undefined;
    if (last !== undefined) retire(last, last.drain(drainMs));
  }

  function publish(): void {
    if (isOver) return;
    tools.publish(endpoints());
    // What the function itself serves now needs no replica beside it.
    if (version !== undefined && findServing() !== undefined) leave();
  }

  function endpoints(): FunctionEndpoints {
    const at = findServing();
    if (at !== undefined) return { ...at, name };
    const owner = deployment.labels?.[labels.gitOwner];
    return {
      name,
      namespace: FUNCTION_NAMESPACE,
      endpoints: version?.endpoints() ?? [],
      replicas: version === undefined ? 0 : 1,
      idleMs: settings.versionIdleMs,
      ...(owner === undefined ? {} : { owner: toSlug(owner) }),
    };
  }

  function findServing(): FunctionEndpoints | undefined {
    const serving = tools.serving(service);
    return serving?.release.release === id ? serving.at : undefined;
  }

  function retire(last: Version, end: Promise<void>): void {
    ending.set(last, end);
    settle(end.finally(() => ending.delete(last)));
  }

  function settle(work: Promise<void>): void {
    work.catch((error: unknown) => log.error("version-work-failed", { error: describe(error) }));
  }
}

/** It says nothing about the version: Docker is away, or the platform stops. */
function isPassing(error: unknown): boolean {
  return error instanceof HttpError && error.status === 503;
}

function toFailure(error: unknown): StartFailure {
  return { reason: describe(error), logTail: "" };
}
