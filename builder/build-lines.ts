import type { BuildLine } from "#sdk/messages.ts";
import { stripControls } from "#sdk/strip-controls.ts";

/** Characters of one log text on the wire: even fully escaped, a line stays far below faas-cli's 64 KiB. */
const LOG_TEXT_LIMIT = 4_096;

export type LineSink = {
  /** One text of the build's log; long ones are cut in pieces, all of them at `maxLogBytes`. */
  log(text: string): void;
  /** The last line; nothing is sent after it. */
  end(line: BuildLine): void;
};

/**
 * Turn what happens into BuildLines, and send an empty one whenever nothing happened for `heartbeatMs`. What
 * a build wrote ends in terminals: nothing that could steer one is passed on.
 */
export function createLineSink(
  send: (line: BuildLine) => void,
  { heartbeatMs, maxLogBytes }: { readonly heartbeatMs: number; readonly maxLogBytes: number },
): LineSink {
  const heartbeat = setInterval(() => send({ log: [], status: "in_progress" }), heartbeatMs);
  heartbeat.unref();
  let logBytes = 0;
  let ended = false;

  return {
    log(text) {
      if (ended || logBytes > maxLogBytes) return;
      logBytes += Buffer.byteLength(text) + 1;
      const kept =
        logBytes > maxLogBytes
          ? [`… the log is cut at ${maxLogBytes} bytes`]
          : cut(stripControls(text));
      for (const piece of kept) send({ log: [piece], status: "in_progress" });
      heartbeat.refresh();
    },
    end(line) {
      if (ended) return;
      ended = true;
      clearInterval(heartbeat);
      const { error } = line;
      send(error === undefined ? line : { ...line, error: stripControls(error) });
    },
  };
}

function cut(text: string): string[] {
  const pieces: string[] = [];
  for (let at = 0; at < text.length; at += LOG_TEXT_LIMIT)
    pieces.push(text.slice(at, at + LOG_TEXT_LIMIT).toWellFormed());
  return pieces.length === 0 ? [""] : pieces;
}
