import { type SpawnOptionsWithoutStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";

export type Ran = { readonly code: number | null; readonly out: string; readonly error: string };

/** Run a program to its end, with this text on its standard input. */
export async function runWithInput(
  file: string,
  args: readonly string[],
  input: string,
  options: SpawnOptionsWithoutStdio = {},
): Promise<Ran> {
  const child = spawn(file, args, { timeout: 120_000, ...options });
  // Who ends without reading all of it is told by `code`.
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const [out, error, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close"),
  ]);
  return { code: code as number | null, out, error };
}
