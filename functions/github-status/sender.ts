import type { Ledger } from "#ledger/types/ledger.ts";
import type { Repository } from "#ledger/types/repository.ts";
import type { UnsentStatus } from "#ledger/types/status.ts";
import { describe } from "#sdk/errors.ts";
import type { GithubApps, InstallationClient } from "#sdk/github-app.ts";
import type { Log } from "#sdk/log.ts";
import { sendCheckRun } from "./check-run.ts";
import { sendCommitStatus } from "./commit-status.ts";
import { decideRetry } from "./decide-retry.ts";

export type SenderTools = {
  readonly ledger: Pick<
    Ledger,
    "findRepository" | "findBuild" | "listUnsent" | "markSent" | "markUnsent"
  >;
  readonly apps: GithubApps;
  readonly useChecks: boolean;
  readonly concurrency: number;
  /** The stored build log of one function of a commit, empty when there is none. */
  readonly readLog: (repository: Repository, status: UnsentStatus, log: Log) => Promise<string>;
  readonly now: () => number;
};

/** How many statuses were told, are to be tried again, and can never be told. */
export type Sent = { readonly sent: number; readonly retried: number; readonly givenUp: number };

export type Sender = {
  /** Send what is due, of one commit, one repository or all; newest versions only. */
  sendDue(log: Log, of?: { readonly repositoryId: string; readonly sha?: string }): Promise<Sent>;
  /** Send one status whether or not it was sent before. */
  send(status: UnsentStatus, log: Log): Promise<keyof Sent>;
};

/** Largest date; what is due then is never due. */
const NEVER = 8.64e15;

/** Tells the sources what their commits should show: one sender per commit and context. */
export function createSender(tools: SenderTools): Sender {
  const { ledger, now } = tools;
  const busy = new Map<string, Promise<unknown>>();

  return {
    async sendDue(log, of) {
      const due = ledger.listUnsent(now(), of);
      const outcomes: (keyof Sent | undefined)[] = [];
      const next = due.values();
      const work = async () => {
        for (const status of next)
          outcomes.push(await alone(status, () => sendNewest(status, log)));
      };
      await Promise.all(Array.from({ length: tools.concurrency }, work));
      return count(outcomes);
    },
    send: (status, log) => alone(status, () => sendOne(status, log)),
  };

  /** Run after whoever sends for the same commit and context now. */
  async function alone<T>(
    { repositoryId, sha, context }: UnsentStatus,
    work: () => Promise<T>,
  ): Promise<T> {
    const key = `${repositoryId} ${sha} ${context}`;
    const mine = (busy.get(key) ?? Promise.resolve()).then(work, work);
    busy.set(key, mine);
    try {
      return await mine;
    } finally {
      if (busy.get(key) === mine) busy.delete(key);
    }
  }

  /** The wait may have been long: read again what the context wants, and whether it still does. */
  async function sendNewest(status: UnsentStatus, log: Log): Promise<keyof Sent | undefined> {
    const { repositoryId, sha, context } = status;
    const newest = ledger
      .listUnsent(now(), { repositoryId, sha })
      .find((one) => one.context === context);
    return newest === undefined ? undefined : sendOne(newest, log);
  }

  async function sendOne(status: UnsentStatus, log: Log): Promise<keyof Sent> {
    const facts = { repository: status.repositoryId, sha: status.sha, context: status.context };
    try {
      const checkRunId = await tell(status, log);
      ledger.markSent(status, checkRunId);
      log.info("status-sent", { ...facts, state: status.state, build: status.buildId });
      return "sent";
    } catch (error) {
      const reason = describe(error);
      const decision = decideRetry(error, status.attempts, now());
      if (decision === "never") {
        ledger.markUnsent(status, reason, NEVER);
        log.error("status-given-up", { ...facts, attempts: status.attempts, error: reason });
        return "givenUp";
      }
      ledger.markUnsent(status, reason, decision.retryAt);
      log.warn("status-delayed", { ...facts, retry_at: decision.retryAt, error: reason });
      return "retried";
    }
  }

  /** The id of the check run, where one was made. */
  async function tell(status: UnsentStatus, log: Log): Promise<number | undefined> {
    if (status.skipped && !tools.useChecks) return undefined;
    const repository = ledger.findRepository(status.repositoryId);
    if (repository === undefined) throw new Error(`Repository ${status.repositoryId} is unknown.`);
    const client = await clientOf(repository, status.attempts > 0);
    if (!tools.useChecks) {
      await sendCommitStatus(client, repository, status.sha, status);
      return undefined;
    }
    const buildLog = await tools.readLog(repository, status, log);
    const build = status.buildId === undefined ? undefined : ledger.findBuild(status.buildId);
    const appId = tools.apps.appId(scmOf(repository));
    return sendCheckRun(client, repository, { status, build, log: buildLog, appId });
  }

  /** A token that was refused before is not tried twice. */
  function clientOf(repository: Repository, fresh: boolean): Promise<InstallationClient> {
    return tools.apps.installation(scmOf(repository), repository.installationId, { fresh });
  }
}

/** Ids begin with their source. */
export function scmOf({ id }: Pick<Repository, "id">): string {
  return id.slice(0, id.indexOf(":"));
}

function count(outcomes: readonly (keyof Sent | undefined)[]): Sent {
  const of = (outcome: keyof Sent) => outcomes.filter((one) => one === outcome).length;
  return { sent: of("sent"), retried: of("retried"), givenUp: of("givenUp") };
}
