import { z } from "zod";

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

function toWords(line: string): string | undefined {
  const parsed = line.startsWith("{") ? LINE.safeParse(JSON.parse(line)) : undefined;
  if (parsed?.success !== true) return line.trimEnd();
  const { level, event, time, ...facts } = parsed.data;
  if (QUIET_LEVELS.has(level)) return undefined;
  const rest = Object.entries(facts).map(
    ([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return `${time.slice(11, 19)} ${level} ${event} ${rest.join(" ")}`.trimEnd();
}
