import type { Claim } from "#ledger/types/build.ts";
import type { PlannedFunction } from "#ledger/types/plan.ts";
import { describe } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import type { PipelineLog } from "#sdk/messages.ts";
import type { Tools } from "./tools.ts";

/** Longest wait for a log to be kept, in milliseconds; the build's end waits for it. */
const KEEP_MS = 5_000;

/** Give a build log to pipeline-log. A lost log must not fail a build that succeeded. */
export async function keepLog(
  { gateway, ledger }: Tools,
  { build }: Claim,
  { name }: PlannedFunction,
  data: string,
  log: Log,
): Promise<void> {
  try {
    const entry: PipelineLog = {
      RepoPath: ledger.findRepository(build.repositoryId)?.fullName ?? "",
      CommitSHA: build.sha,
      Function: name,
      Source: "buildshiprun",
      Data: data,
    };
    const options = { query: `?build=${build.id}`, signal: AbortSignal.timeout(KEEP_MS) };
    const response = await gateway.call("pipeline-log", JSON.stringify(entry), options);
    await response.text();
    if (!response.ok) throw new Error(`pipeline-log answered ${response.status}`);
  } catch (error) {
    log.warn("build-log-lost", { build: build.id, planned: name, error: describe(error) });
  }
}
