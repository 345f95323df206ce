import { once } from "node:events";
import { describe } from "#sdk/errors.ts";
import { createLog } from "#sdk/log.ts";
import type { CommandContext } from "../context.ts";
import { createLogSink } from "../log-sink.ts";
import { onceIdle } from "../once-idle.ts";
import { type Platform, startPlatform } from "../platform/start-platform.ts";

/** Longest stop, in milliseconds; what still runs then is cut. */
const STOP_LIMIT_MS = 9_500;

/** How long a start takes to settle, in milliseconds after `ready`. */
const SETTLED_MS = 3_000;

/** Run the platform in the foreground. */
export async function up(context: CommandContext): Promise<void> {
  await runUntilSignal(context, await startFor(context));
}

export function startFor({ project, options, env, terminal }: CommandContext): Promise<Platform> {
  const writeLog = createLogSink(process.stderr);
  const log = createLog(writeLog);
  // The web adapter prints what breaks off while it is sent, stack and all; the log is one JSON object a line.
  console.error = (error: unknown) => log.warn("answer-broken-off", { error: describe(error) });
  return startPlatform({
    project,
    dataFolder: options.data,
    port: options.port,
    engine: options.engine,
    environment: env,
    say: (text) => terminal.line(text),
    writeLog,
  });
}

/** Say `ready`, wait for SIGTERM or SIGINT, drain and stop; a second signal does not wait. */
export async function runUntilSignal(
  { terminal }: CommandContext,
  platform: Platform,
): Promise<void> {
  // Before the line: whoever reads it may end us at once.
  const asked = Promise.race([once(process, "SIGTERM"), once(process, "SIGINT")]);
  terminal.line(`ready ${platform.url.replace(/\/$/, "")}`);
  const callOff = onceIdle(SETTLED_MS, giveBackMemory);
  await asked;

  callOff();
  const stay = "; functions stay in their containers, and the next start takes them over";
  terminal.line(`Stopping …${platform.keepsFunctions ? stay : ""}`);
  const limit = setTimeout(() => process.exit(1), STOP_LIMIT_MS);
  process.once("SIGINT", () => process.exit(1));
  await platform.close();
  clearTimeout(limit);
}

/**
 * Loading leaves a third of the heap unused, which an idle platform would keep for hours. Nobody is answered
 * meanwhile: a tenth of a second or more. Needs `--expose-gc`.
 */
function giveBackMemory(): void {
  globalThis.gc?.({ type: "major", execution: "sync", flavor: "last-resort" });
}
