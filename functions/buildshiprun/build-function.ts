import type { Claim, PlannedFunction } from "#ledger/types.ts";
import { describe, HttpError } from "#sdk/errors.ts";
import { signCall } from "#sdk/internal-signature.ts";
import type { Log } from "#sdk/log.ts";
import type { BuildLine, PipelineLog } from "#sdk/messages.ts";
import { parseBuildLines } from "./parse-build-lines.ts";
import type { Tools } from "./tools.ts";

/** Text of a build log that is kept, in characters; the end of a longer one matters more. */
const LOG_LIMIT = 1_000_000;

/**
 * Pass the build context on to the builder as it streams, and its lines back as they come. What was
 * built is recorded before the last line is answered, so whoever reads it may rely on the artifact.
 */
export async function buildFunction(
  tools: Tools,
  claim: Claim,
  planned: PlannedFunction,
  context: ReadableStream<Uint8Array>,
  signal: AbortSignal,
  log: Log,
): Promise<Response> {
  const answer = await callBuilder(tools, planned, context, signal);
  const text: string[] = [];

  async function* pass(): AsyncGenerator<Uint8Array> {
    try {
      for await (const line of parseBuildLines(answer)) {
        for (const one of line.log ?? []) text.push(one);
        if (line.status === "success") record(tools, claim, planned, line);
        yield encode(line);
        if (line.status !== "in_progress") return;
      }
      yield encode({ status: "failed", error: "the builder ended without a result" });
    } catch (error) {
      yield encode({
        status: "failed",
        error: `the builder's answer broke off: ${describe(error)}`,
      });
    } finally {
      await keepLog(tools, claim, planned, text.join("\n").slice(-LOG_LIMIT), log);
    }
  }

  return new Response(ReadableStream.from(pass()), {
    headers: { "content-type": "application/x-ndjson" },
  });
}

async function callBuilder(
  { builderUrl, fetch, key }: Tools,
  planned: PlannedFunction,
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
): Promise<ReadableStream<Uint8Array>> {
  const url = new URL("build", builderUrl);
  const headers = new Headers({
    "content-type": "application/octet-stream",
    accept: "application/x-ndjson",
    "x-content-key": planned.key,
  });
  headers.set("x-cloud-signature", signCall({ method: "POST", path: url.pathname, headers }, key));
  const response = await fetch(url, {
    method: "POST",
    headers,
    body,
    duplex: "half",
    signal,
  }).catch((error: unknown) => {
    throw new HttpError(
      503,
      "builder-unreachable",
      `The builder at ${builderUrl} cannot be reached: ${describe(error)}`,
      { cause: error },
    );
  });
  if (response.ok && response.body !== null) return response.body;
  throw new HttpError(
    502,
    "builder-refused",
    `The builder answered ${response.status}: ${(await response.text()).slice(0, 500)}`,
  );
}

function record({ ledger }: Tools, claim: Claim, planned: PlannedFunction, line: BuildLine): void {
  if (line.digest === undefined) throw new Error("the builder reported success without a digest");
  ledger.recordArtifact({
    ownerId: claim.build.ownerId,
    key: planned.key,
    digest: line.digest,
    image: planned.image,
    sizeBytes: line.sizeBytes ?? 0,
    createdAt: Date.now(),
  });
}

/** A lost log must not fail a build that succeeded. */
async function keepLog(
  { gateway, ledger }: Tools,
  claim: Claim,
  planned: PlannedFunction,
  data: string,
  log: Log,
): Promise<void> {
  const entry: PipelineLog = {
    RepoPath: ledger.findRepository(claim.build.repositoryId)?.fullName ?? "",
    CommitSHA: claim.build.sha,
    Function: planned.name,
    Source: "buildshiprun",
    Data: data,
  };
  try {
    const response = await gateway.call("pipeline-log", JSON.stringify(entry), {
      query: `?build=${claim.build.id}`,
    });
    await response.body?.cancel();
    if (!response.ok) throw new Error(`pipeline-log answered ${response.status}`);
  } catch (error) {
    log.warn("build-log-lost", {
      build: claim.build.id,
      planned: planned.name,
      error: describe(error),
    });
  }
}

function encode(line: BuildLine): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(line)}\n`);
}
