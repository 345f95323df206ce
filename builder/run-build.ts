import type { Readable } from "node:stream";
import { describe, HttpError } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import type { BuildLine } from "#sdk/messages.ts";
import type { LineSink } from "./build-lines.ts";
import type { BuildSlots } from "./build-slots.ts";
import type { ReceivedBuild } from "./receive-build.ts";
import type { BuilderSettings } from "./settings.ts";

/** One build whose turn it is. */
export type BuildJob = {
  /** The tar, unread. */
  readonly body: Readable;
  /** From the signed header; absent when an operator's faas-cli sent the build. */
  readonly ownerId: string | undefined;
  /** Folder of its own, gone afterwards. */
  readonly work: string;
  /** One text of the log. */
  readonly tell: (text: string) => void;
  /** Aborts at the deadline, when the caller leaves and when the builder stops. */
  readonly signal: AbortSignal;
  readonly log: Log;
};

/** Resolves with the last line; rejects with what went wrong, HttpErrors from 500 on through no fault of the context. */
export type Build = (job: BuildJob) => Promise<BuildLine>;

type Run = {
  readonly build: Build;
  readonly received: ReceivedBuild;
  readonly work: string;
  readonly settings: BuilderSettings;
  readonly slots: BuildSlots;
  readonly sink: LineSink;
  readonly signal: AbortSignal;
  readonly log: Log;
};

/** Wait for a turn, build, and say how it ended. Never rejects; resolves when the work is done. */
export async function runBuild(run: Run): Promise<BuildLine> {
  const { body, ownerId } = run.received;
  const start = performance.now();
  const end = (line: BuildLine) => {
    const ended = { ...line, duration: Math.round(performance.now() - start) / 1_000 };
    run.sink.end(ended);
    return ended;
  };

  try {
    const release = await waitForTurn(ownerId ?? "", run);
    try {
      return end(await buildNow(run));
    } finally {
      release();
    }
  } catch (error) {
    return end({ status: "failed", ...explain(error, run) });
  } finally {
    body.destroy();
  }
}

function waitForTurn(owner: string, { slots, sink, signal }: Run): Promise<() => void> {
  let told = -1;
  return slots.take(owner, signal, (before) => {
    if (before === told) return;
    told = before;
    sink.log(before === 0 ? "waiting, next in line" : `waiting, ${before} before this one`);
  });
}

function buildNow({ build, received, work, settings, sink, signal, log }: Run): Promise<BuildLine> {
  const deadline = AbortSignal.timeout(settings.buildTimeoutMs);
  return build({
    ...received,
    work,
    tell: sink.log,
    signal: AbortSignal.any([signal, deadline]),
    log,
  });
}

/** Why, and whether the same context may fare better later. */
function explain(
  error: unknown,
  { log, settings, signal }: Run,
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
