import type { Build } from "#ledger/types/build.ts";
import type { Ledger } from "#ledger/types/ledger.ts";
import type { Repository } from "#ledger/types/repository.ts";
import type { UnsentStatus } from "#ledger/types/status.ts";
import { describe } from "#sdk/errors.ts";
import type { GithubApps } from "#sdk/github-app.ts";
import type { Log } from "#sdk/log.ts";
import { TERMINAL_BUILD_STATES } from "#sdk/messages.ts";
import { conclusionOf, readConclusions } from "./check-run.ts";
import { readCommitStatuses } from "./commit-status.ts";
import { type Sender, scmOf } from "./sender.ts";

export type CorrectTools = {
  readonly ledger: Pick<Ledger, "listBuilds" | "listStatuses" | "findRepository">;
  readonly apps: GithubApps;
  readonly sender: Sender;
  readonly useChecks: boolean;
  readonly now: () => number;
};

/** Builds looked at; older ones are past caring. */
const BUILDS_LIMIT = 200;

/**
 * Compare what the sources show for builds that ended within `withinMs` with the ledger, and send again what
 * differs: a crash between sending and noting, or a hand at the source. Answers how many were sent again.
 */
export async function correctAtBoot(
  tools: CorrectTools,
  withinMs: number,
  log: Log,
): Promise<number> {
  const since = tools.now() - withinMs;
  const ended = tools.ledger
    .listBuilds({ limit: BUILDS_LIMIT })
    .filter(({ state, endedAt = 0 }) => isTerminal(state) && endedAt >= since);
  const commits = new Map(ended.map((build) => [`${build.repositoryId} ${build.sha}`, build]));

  let corrected = 0;
  for (const build of commits.values()) corrected += await correctCommit(tools, build, log);
  return corrected;
}

async function correctCommit(tools: CorrectTools, build: Build, log: Log): Promise<number> {
  const { ledger, sender } = tools;
  const repository = ledger.findRepository(build.repositoryId);
  const sent = ledger.listStatuses(build.repositoryId, build.sha).filter((status) => status.sent);
  if (repository === undefined || sent.length === 0) return 0;
  try {
    const wrong = await findWrong(tools, repository, build, sent);
    for (const status of wrong) await sender.send(status, log);
    return wrong.length;
  } catch (error) {
    log.warn("statuses-not-compared", {
      build: build.id,
      repository: repository.fullName,
      sha: build.sha,
      error: describe(error),
    });
    return 0;
  }
}

async function findWrong(
  tools: CorrectTools,
  repository: Repository,
  build: Build,
  sent: readonly UnsentStatus[],
): Promise<UnsentStatus[]> {
  const scm = scmOf(repository);
  const client = await tools.apps.installation(scm, repository.installationId);
  if (tools.useChecks) {
    const shown = await readConclusions(client, repository, build.sha, tools.apps.appId(scm));
    return sent.filter((status) => {
      const { context } = status;
      return !shown.has(context) || shown.get(context) !== conclusionOf(status, build);
    });
  }
  const shown = await readCommitStatuses(client, repository, build.sha);
  return sent.filter(({ context, state, description, skipped }) => {
    const there = shown.get(context);
    return !skipped && (there?.state !== state || there.description !== description);
  });
}

function isTerminal(state: Build["state"]): boolean {
  return TERMINAL_BUILD_STATES.some((terminal) => terminal === state);
}
