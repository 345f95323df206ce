import { z } from "zod";
import type { Ledger } from "#ledger/types/ledger.ts";
import type { Repository } from "#ledger/types/repository.ts";
import type { UnsentStatus } from "#ledger/types/status.ts";
import type { Handler } from "#sdk/answer.ts";
import { describe, HttpError } from "#sdk/errors.ts";
import type { GatewayClient } from "#sdk/gateway-client.ts";
import type { GithubApps } from "#sdk/github-app.ts";
import type { Log } from "#sdk/log.ts";
import { parseJson } from "#sdk/push-event.ts";
import { STACK_CONTEXT } from "#sdk/stack-status.ts";
import type { Config } from "./config.ts";
import { correctAtBoot } from "./correct-at-boot.ts";
import { createSender, type Sent } from "./sender.ts";
import { parseStatusMessage, wantStatuses } from "./status-message.ts";

/** Everything the room may touch outside itself. */
export type Tools = {
  readonly config: Config;
  readonly ledger: Ledger;
  readonly apps: GithubApps;
  readonly gateway: Pick<GatewayClient, "call">;
  readonly now?: () => number;
};

export type GithubStatus = {
  readonly handler: Handler;
  /** Send everything that is due, for the sweeper. */
  sendDue(log: Log): Promise<Sent>;
  /** Make the sources show what the ledger says about recently ended builds; how many were wrong. */
  correctAtBoot(log: Log): Promise<number>;
};

const job = z.object({ v: z.number(), buildId: z.string().min(1).max(100), step: z.string() });

/** Tell the sources how builds go: for a build and those it superseded when asked to, and whatever else is due. */
export function createGithubStatus(tools: Tools): GithubStatus {
  const { config, ledger, apps, gateway, now = Date.now } = tools;
  const { useChecks, concurrency } = config;
  const sender = createSender({ ledger, apps, useChecks, concurrency, readLog, now });

  return {
    handler: handleStatus,
    sendDue: (log) => sender.sendDue(log),
    correctAtBoot: (log) =>
      correctAtBoot({ ledger, apps, sender, useChecks, now }, config.correctWithinMs, log),
  };

  async function handleStatus(request: Request, log: Log): Promise<Response> {
    const body = parseJson(new Uint8Array(await request.arrayBuffer()));
    const known = job.safeParse(body);
    const sent = known.success
      ? await sendBuild(known.data, log)
      : await sender.sendDue(log, wantStatuses(ledger, config.urls, parseStatusMessage(body)));
    // The wire's reply has a token; a real one never leaves this room.
    return Response.json({ token: "", ...sent });
  }

  async function sendBuild({ v, buildId, step }: z.infer<typeof job>, log: Log): Promise<Sent> {
    if (v !== 1 || step !== "status")
      throw new HttpError(503, "unknown-job", `Job v${v} "${step}" is not known here; try later.`);
    const build = ledger.findBuild(buildId);
    if (build === undefined)
      throw new HttpError(404, "unknown-build", `The ledger has no build ${buildId}.`);
    const { repositoryId } = build;
    return sender.sendDue(log.with({ build: buildId }), { repositoryId });
  }

  /** A log that cannot be read is no reason to keep a commit waiting for its conclusion. */
  async function readLog(
    repository: Repository,
    { context, state, sha }: UnsentStatus,
    log: Log,
  ): Promise<string> {
    if (context === STACK_CONTEXT || state === "pending") return "";
    const query = new URLSearchParams({
      repoPath: repository.fullName,
      commitSHA: sha,
      function: context,
    });
    try {
      const options = { method: "GET", query: `?${query}`, signal: AbortSignal.timeout(5_000) };
      const response = await gateway.call("pipeline-log", "", options);
      const text = await response.text();
      return response.ok ? text : "";
    } catch (error) {
      log.warn("build-log-not-read", { context, sha, error: describe(error) });
      return "";
    }
  }
}
