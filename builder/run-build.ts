import { describe, HttpError } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import type { BuildConfig, BuildLine } from "#sdk/messages.ts";
import type { Template } from "#sdk/templates.ts";
import type { LineSink } from "./build-lines.ts";
import type { BuildSlots } from "./build-slots.ts";
import type { ArtifactStore } from "./host/artifact-store.ts";
import { buildOnHost } from "./host/build-on-host.ts";
import type { ReceivedBuild } from "./receive-build.ts";
import type { BuilderSettings } from "./settings.ts";
import { unpackContext } from "./unpack-context.ts";

export type RunTools = {
  readonly settings: BuilderSettings;
  readonly slots: BuildSlots;
  readonly sink: LineSink;
  readonly signal: AbortSignal;
  readonly templates: readonly Template[];
  readonly artifacts: ArtifactStore;
  readonly env: Readonly<Record<string, string>>;
  readonly cacheFolder: (owner: string) => string;
  readonly log: Log;
};

/** Wait for a turn, unpack, build, and say how it ended. Never rejects; resolves when the work is done. */
export async function runBuild(
  { body, ownerId }: ReceivedBuild,
  work: string,
  tools: RunTools,
): Promise<BuildLine> {
  const start = performance.now();
  const end = (line: BuildLine) => {
    const ended = { ...line, duration: Math.round(performance.now() - start) / 1_000 };
    tools.sink.end(ended);
    return ended;
  };

  try {
    const release = await waitForTurn(ownerId ?? "", tools);
    try {
      return end(await buildNow(body, work, ownerId, tools));
    } finally {
      release();
    }
  } catch (error) {
    return end({ status: "failed", ...explain(error, tools) });
  } finally {
    body.destroy();
  }
}

function waitForTurn(owner: string, { slots, sink, signal }: RunTools): Promise<() => void> {
  let told = -1;
  return slots.take(owner, signal, (before) => {
    if (before === told) return;
    told = before;
    sink.log(before === 0 ? "waiting, next in line" : `waiting, ${before} before this one`);
  });
}

async function buildNow(
  body: ReceivedBuild["body"],
  work: string,
  ownerId: string | undefined,
  tools: RunTools,
): Promise<BuildLine> {
  const { settings, sink, artifacts, templates, env, log } = tools;
  const signal = AbortSignal.any([tools.signal, AbortSignal.timeout(settings.buildTimeoutMs)]);
  const config = await unpackContext(body, `${work}/context`, settings, signal);
  const cacheFolder = tools.cacheFolder(ownerOf(config, ownerId));
  const { digest, sizeBytes, fresh } = await buildOnHost(work, config, {
    settings,
    templates,
    artifacts,
    env,
    cacheFolder,
    tell: sink.log,
    signal,
  });
  log.info("artifact-built", { image: config.image, digest, size_bytes: sizeBytes, fresh });
  return { status: "success", image: config.image, digest, sizeBytes };
}

/** The signed header decides; a context that names somebody else was packed for somebody else. */
function ownerOf(config: BuildConfig, signed: string | undefined): string {
  if (signed !== undefined && config.ownerId !== undefined && signed !== config.ownerId)
    throw new HttpError(
      422,
      "wrong-owner",
      `The context is of owner "${config.ownerId}", the call of "${signed}".`,
    );
  return signed ?? config.ownerId ?? "";
}

/** Why, and whether the same context may fare better later. */
function explain(
  error: unknown,
  { log, settings, signal }: RunTools,
): Pick<BuildLine, "error" | "retryable"> {
  if (error instanceof HttpError) {
    log.warn("build-failed", { code: error.code, error: describe(error) });
    return { error: error.message, ...(error.status >= 500 && { retryable: true }) };
  }
  if (error instanceof DOMException && error.name === "TimeoutError")
    return {
      error: `The build took longer than ${settings.buildTimeoutMs / 1_000} s and was stopped.`,
    };
  if (signal.aborted) return { error: "The caller went away.", retryable: true };
  log.error("build-crashed", { error: describe(error) });
  return { error: "Unexpected failure in the builder; see the platform's log.", retryable: true };
}
