import type { Build } from "#ledger/types/build.ts";
import type { Repository } from "#ledger/types/repository.ts";
import type { UnsentStatus, WantedStatus } from "#ledger/types/status.ts";
import type { InstallationClient } from "#sdk/github-app.ts";
import { STACK_CONTEXT } from "#sdk/stack-status.ts";
import { splitName } from "./commit-status.ts";
import { formatLogText } from "./format-log-text.ts";

type Conclusion = "success" | "failure" | "cancelled" | "skipped";

/** What a check run says beside the status. */
export type CheckRunFacts = {
  readonly status: UnsentStatus;
  readonly build: Build | undefined;
  /** The function's build log, empty when there is none. */
  readonly log: string;
  readonly appId: number | undefined;
};

/** Create the check run of a context once, update it afterwards; answers its id. */
export async function sendCheckRun(
  client: InstallationClient,
  repository: Repository,
  facts: CheckRunFacts,
): Promise<number> {
  const { status } = facts;
  const names = splitName(repository);
  const run = toCheckRun(facts);
  const known = status.checkRunId ?? (await findCheckRun(client, repository, facts));
  if (known !== undefined) {
    await client.request("PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}", {
      ...names,
      check_run_id: known,
      ...run,
    });
    return known;
  }
  const { data } = await client.request("POST /repos/{owner}/{repo}/check-runs", {
    ...names,
    head_sha: status.sha,
    ...run,
  });
  return Number(data.id);
}

/** State of a status as a check run's conclusion; `undefined` while it is in progress. */
export function conclusionOf(
  status: WantedStatus,
  build: Pick<Build, "state"> | undefined,
): Conclusion | undefined {
  if (status.skipped) return "skipped";
  switch (status.state) {
    case "pending":
      return undefined;
    case "success":
      return "success";
    case "failure":
      return "failure";
    case "error":
      return build?.state === "superseded" || build?.state === "cancelled"
        ? "cancelled"
        : "failure";
  }
}

/** What the source shows: the conclusion of our newest run of each context, `undefined` while it is in progress. */
export async function readConclusions(
  client: InstallationClient,
  repository: Repository,
  sha: string,
  appId: number | undefined,
): Promise<ReadonlyMap<string, string | undefined>> {
  const { data } = await client.request("GET /repos/{owner}/{repo}/commits/{ref}/check-runs", {
    ...splitName(repository),
    ref: sha,
    filter: "latest",
    per_page: 100,
  });
  return new Map(
    data.check_runs
      .filter(({ app }) => appId === undefined || app?.id === appId)
      .map(({ name, conclusion }) => [name, conclusion ?? undefined]),
  );
}

/** A run that was made before a crash could note its id: found by name, ours by App. */
async function findCheckRun(
  client: InstallationClient,
  repository: Repository,
  { status, appId }: CheckRunFacts,
): Promise<number | undefined> {
  const { data } = await client.request("GET /repos/{owner}/{repo}/commits/{ref}/check-runs", {
    ...splitName(repository),
    ref: status.sha,
    check_name: status.context,
    filter: "latest",
  });
  const found = data.check_runs.find(
    ({ name, app }) => name === status.context && (appId === undefined || app?.id === appId),
  );
  return found === undefined ? undefined : Number(found.id);
}

function toCheckRun({ status, build, log }: CheckRunFacts) {
  const conclusion = conclusionOf(status, build);
  const description = status.description;
  const text = formatLogText(log);
  return {
    name: status.context,
    details_url: status.targetUrl,
    ...(status.buildId === undefined ? {} : { external_id: status.buildId }),
    ...(build?.startedAt === undefined ? {} : { started_at: toIso(build.startedAt) }),
    ...(conclusion === undefined
      ? { status: "in_progress" as const }
      : {
          status: "completed" as const,
          conclusion,
          ...(build?.endedAt === undefined ? {} : { completed_at: toIso(build.endedAt) }),
        }),
    output: {
      title: status.context === STACK_CONTEXT ? "Deploy to OpenFaaS" : `Build ${status.context}`,
      summary: conclusion === undefined ? description : formatLink(description, status.targetUrl),
      ...(text === "" ? {} : { text }),
    },
  };
}

/** Markdown with the description as plain text, whatever an owner wrote into it. */
function formatLink(text: string, url: string): string {
  return `[${text.replace(/[\\[\]()`*_<>!#|]/g, "\\$&")}](${url})`;
}

function toIso(unixMs: number): string {
  return new Date(unixMs).toISOString();
}
