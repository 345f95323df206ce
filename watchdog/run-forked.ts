import type { Readable } from "node:stream";
import type { Call } from "./call.ts";
import { type Child, type Children, type Failure, waitForEnd } from "./child.ts";
import type { LogWriter } from "./log-writer.ts";

export type ForkTools = {
  readonly command: readonly string[];
  readonly children: Children;
  readonly log: LogWriter;
  readonly maxOutputBytes: number;
};

export type Forked = { readonly output: Buffer; readonly failure: Failure };

export type ForkOptions = {
  readonly env: Record<string, string | undefined>;
  /** Written to standard input instead of the request's body. */
  readonly input?: Uint8Array;
  /** Standard error is output too, in order of arrival; otherwise it goes to the log. */
  readonly combineOutput: boolean;
};

/** Run the program for one request to its end; it is killed when the call is over before it is. */
export async function runForked(
  call: Call,
  { command, children, log, maxOutputBytes }: ForkTools,
  { env, input, combineOutput }: ForkOptions,
): Promise<Forked> {
  const child = startForCall(call, command, children, env);
  if (input === undefined) call.request.pipe(child.stdin);
  else child.stdin.end(input);
  if (!combineOutput) log.copy("stderr", child.stderr);
  const sources = combineOutput ? [child.stdout, child.stderr] : [child.stdout];
  const collected = collect(sources, maxOutputBytes, () => children.kill(child));
  const failure = await waitForEnd(child, children);
  return collected.tooLong()
    ? { output: Buffer.alloc(0), failure: `output is longer than ${maxOutputBytes} bytes` }
    : { output: collected.bytes(), failure };
}

/** Start a program that ends with the call. */
export function startForCall(
  { signal }: Call,
  command: readonly string[],
  children: Children,
  env: Record<string, string | undefined>,
): Child {
  const child = children.start(command, env);
  const kill = () => children.kill(child);
  if (signal.aborted) kill();
  signal.addEventListener("abort", kill, { once: true });
  return child;
}

function collect(sources: readonly Readable[], limit: number, tooMuch: () => void) {
  const chunks: Buffer[] = [];
  let size = 0;
  for (const source of sources)
    source.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limit) chunks.push(chunk);
      else tooMuch();
    });
  return { bytes: () => Buffer.concat(chunks), tooLong: () => size > limit };
}
