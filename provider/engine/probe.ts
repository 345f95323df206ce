import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { parseDuration } from "#sdk/duration.ts";
import type { FunctionDeployment } from "#sdk/messages.ts";

export type ProbeSettings = {
  readonly path: string;
  /** Nothing is asked before; at most five minutes. */
  readonly initialDelayMs: number;
};

/** Longest wait for one health answer, and its longest body. */
const ANSWER_MS = 1_000;
const ANSWER_BYTES = 64 * 1024;
const INITIAL_DELAY_LIMIT_MS = 5 * 60_000;
/**
 * Between two questions, while one replica starts: most listen within a few tenths of a second, or after a long
 * while. Many that start at once are each asked less often, since the questions take cores from them.
 */
const FIRST_PAUSE_MS = 3;
const LONGEST_PAUSE_MS = 200;
const PAUSE_GROWTH = 1.05;
/** How many are being asked. */
let starting = 0;

/** `com.openfaas.health.http.*` annotations; the defaults are `/_/health` at once. */
export function readProbeSettings(deployment: FunctionDeployment): ProbeSettings {
  const path = deployment.annotations?.["com.openfaas.health.http.path"] ?? "/_/health";
  const delay = deployment.annotations?.["com.openfaas.health.http.initialDelay"] ?? "0s";
  return {
    path: path.startsWith("/") ? path : `/${path}`,
    initialDelayMs: Math.min(parseDuration(delay) ?? 0, INITIAL_DELAY_LIMIT_MS),
  };
}

/** Where a replica listens, as Node's `http` and `net` take it. */
export type ReplicaAddress =
  | { readonly socketPath: string }
  | { readonly host: string; readonly port: number };

/** One health request to a replica: its status once the whole answer is there, or why not. */
export function askHealth(address: ReplicaAddress, path: string): Promise<number | string> {
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const escaped = path.replace(/[^\x21-\x7e]/gu, encodeURIComponent);
    const asked = request({ ...address, path: escaped, agent: false, signal });
    asked.on("response", (answer) => {
      let sizeBytes = 0;
      answer.on("data", ({ length }: Buffer) => {
        sizeBytes += length;
        if (sizeBytes > ANSWER_BYTES) asked.destroy(new Error("its health answer never ends"));
      });
      answer.on("error", ({ message }) => resolve(message));
      answer.on("end", () => resolve(answer.statusCode ?? 0));
    });
    asked.on("error", ({ message }) =>
      resolve(signal.aborted ? `no answer within ${ANSWER_MS} ms` : message),
    );
    asked.end();
  });
}

export type ProbeTools = {
  /** Where it should listen: "its socket", "port 8080". */
  readonly door: string;
  /** True once the replica listens. */
  isListening(): Promise<boolean>;
  ask(): Promise<number | string>;
  /** Aborted when the replica is gone or no longer wanted. */
  readonly signal: AbortSignal;
};

export type ProbeTimes = {
  readonly initialDelayMs: number;
  readonly settleMs: number;
  readonly deadlineMs: number;
};

/**
 * Wait until a replica answers its health path twice in a row, `settleMs` apart. Resolves with
 * `undefined`, or with the reason when `deadlineMs` has passed or the signal was aborted.
 */
export async function awaitHealthy(
  tools: ProbeTools,
  times: ProbeTimes,
): Promise<string | undefined> {
  if (times.initialDelayMs > 0) await pause(times.initialDelayMs, tools.signal);
  starting += 1;
  try {
    return await askUntilHealthy(tools, times);
  } finally {
    starting -= 1;
  }
}

async function askUntilHealthy(
  { door, isListening, ask, signal }: ProbeTools,
  times: ProbeTimes,
): Promise<string | undefined> {
  const deadline = performance.now() + times.deadlineMs;
  let last = `it never listened on ${door}`;
  let intervalMs = FIRST_PAUSE_MS;
  let healthySince: number | undefined;

  while (!signal.aborted) {
    const answer = (await isListening()) ? await ask() : last;
    const healthy = typeof answer === "number" && answer >= 200 && answer < 400;
    const now = performance.now();
    if (healthy && healthySince !== undefined && now - healthySince >= times.settleMs)
      return undefined;
    if (!healthy) last = typeof answer === "number" ? `its health path answered ${answer}` : answer;
    healthySince = healthy ? (healthySince ?? now) : undefined;
    if (now >= deadline) return `was not healthy within ${times.deadlineMs} ms: ${last}`;
    await pause(healthySince === undefined ? sharedMs(intervalMs) : leftMs(healthySince), signal);
    if (!healthy) intervalMs *= PAUSE_GROWTH;
  }
  return "was stopped while starting";

  /** Asked again the moment that decides. */
  function leftMs(healthySince: number): number {
    const left = healthySince + times.settleMs - performance.now();
    return Math.max(0, Math.min(LONGEST_PAUSE_MS, left));
  }
}

function sharedMs(intervalMs: number): number {
  return Math.min(LONGEST_PAUSE_MS, intervalMs * starting);
}

/** Sleep, cut short without an error when the signal is aborted. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}
