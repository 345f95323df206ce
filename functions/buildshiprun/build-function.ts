import type { Claim } from "#ledger/types/build.ts";
import type { PlannedFunction } from "#ledger/types/plan.ts";
import { describe } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import type { BuildLine } from "#sdk/messages.ts";
import { callBuilder } from "./call-builder.ts";
import { keepLog } from "./keep-log.ts";
import { createLogTail, type LogTail } from "./log-tail.ts";
import { parseBuildLines } from "./parse-build-lines.ts";
import type { Tools } from "./tools.ts";

/**
 * Pass the build context on to the builder as it streams, and its lines back as they come. What was built
 * is recorded, and its log kept, before the last line is answered. An answer without a result means that
 * the builder broke off, which a later attempt may mend.
 */
export async function buildFunction(
  tools: Tools,
  claim: Claim,
  planned: PlannedFunction,
  context: ReadableStream<Uint8Array>,
  signal: AbortSignal,
  log: Log,
): Promise<Response> {
  const answer = await callBuilder(tools, claim, planned, context, signal);
  const headers = { "content-type": "application/x-ndjson" };
  return new Response(ReadableStream.from(pass()), { headers });

  async function* pass(): AsyncGenerator<Uint8Array> {
    const tail = createLogTail();
    let last: BuildLine;
    try {
      last = yield* untilResult(answer, tail);
      if (last.status === "success") record(tools, claim, planned, last);
    } catch (error) {
      if (signal.aborted) return;
      log.warn("builder-broke-off", { build: claim.build.id, error: describe(error) });
      const text = `the builder broke off: ${describe(error)}`;
      tail.add([text]);
      last = { log: [text], status: "in_progress" };
    } finally {
      await keepLog(tools, claim, planned, tail.text(), log);
    }
    yield encode(last);
  }
}

/** Yields each line before the last, which is returned. */
async function* untilResult(
  answer: ReadableStream<Uint8Array>,
  tail: LogTail,
): AsyncGenerator<Uint8Array, BuildLine> {
  for await (const line of parseBuildLines(answer)) {
    tail.add(line.log ?? []);
    if (line.retryable === true) throw new Error(line.error ?? "it gave no reason");
    if (line.status !== "in_progress") return line;
    yield encode(line);
  }
  throw new Error("its answer ended without a result");
}

function record(
  { ledger, now }: Tools,
  { build }: Claim,
  { key, image }: PlannedFunction,
  { digest, sizeBytes = 0 }: BuildLine,
): void {
  if (digest === undefined) throw new Error("it reported success without a digest");
  const { ownerId } = build;
  ledger.recordArtifact({ ownerId, key, digest, image, sizeBytes, createdAt: now() });
}

function encode(line: BuildLine): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(line)}\n`);
}
