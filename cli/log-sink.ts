import { z } from "zod";
import { stripControls } from "#sdk/strip-controls.ts";
import { tryJson } from "#sdk/try-json.ts";

const LINE = z.looseObject({ level: z.string(), event: z.string(), time: z.string() });
const QUIET_LEVELS: ReadonlySet<string> = new Set(["trace", "debug", "info"]);

/**
 * Where log lines go: JSON as it is to a program, and to a person at a terminal only what went wrong, in
 * words, so that it does not drown what the command itself says.
 */
export function createLogSink(stream: NodeJS.WriteStream): (line: string) => void {
  if (stream.isTTY !== true) return (line) => void stream.write(line);
  return (line) => {
    const words = toWords(line);
    if (words !== undefined) stream.write(`${words}\n`);
  };
}

/** `undefined` for what only programs want. */
function toWords(line: string): string | undefined {
  // A child that dies prints what it likes.
  const parsed = LINE.safeParse(tryJson(line));
  if (!parsed.success) return stripControls(line.trimEnd());
  const { level, event, time, ...facts } = parsed.data;
  if (QUIET_LEVELS.has(level)) return undefined;
  const rest = Object.entries(facts).map(
    ([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return stripControls(`${time.slice(11, 19)} ${level} ${event} ${rest.join(" ")}`.trimEnd());
}
