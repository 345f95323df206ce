import type { Owner } from "#ledger/types/owner.ts";
import type { Plan, PlannedFunction } from "#ledger/types/plan.ts";
import type { Repository } from "#ledger/types/repository.ts";
import type { CommitState, WantedStatus } from "#ledger/types/status.ts";
import { stackStatus } from "#sdk/stack-status.ts";
import { type StatusUrls, statusUrl } from "#sdk/status-urls.ts";
import type { Ending } from "./build-failed.ts";

/** What every status of one commit shares. */
export type Commit = {
  readonly owner: Owner;
  readonly repository: Repository;
  readonly sha: string;
  readonly urls: StatusUrls;
};

/** Each planned function is pending until the push ends. */
export function plannedStatuses(commit: Commit, plan: Plan): WantedStatus[] {
  return plan.functions.map((planned) =>
    functionStatus(
      commit,
      planned,
      "pending",
      `${planned.name} function build started, image: ${planned.image}`,
    ),
  );
}

/** The last word on a push and each of its functions; a function without a failure shares the push's fate. */
export function endStatuses(commit: Commit, plan: Plan | undefined, end: Ending): WantedStatus[] {
  const state = commitState(end);
  const description = end.state === "live" ? "stack is successfully deployed" : end.reason;
  const whole = stackStatus(state, description, statusUrl(commit.urls, { ...commit, state }));
  return [
    whole,
    ...(plan?.functions ?? []).map((planned) => endOfFunction(commit, planned, state, end)),
  ];
}

function endOfFunction(
  commit: Commit,
  planned: PlannedFunction,
  state: CommitState,
  { reason, failures }: Ending,
): WantedStatus {
  if (state === "success")
    return functionStatus(commit, planned, "success", `deployed: ${planned.service}`);
  const own = failures.find(({ name }) => name === planned.name);
  if (own !== undefined) return functionStatus(commit, planned, state, own.reason);
  if (failures.length === 0) return functionStatus(commit, planned, state, reason);
  const others = failures.map(({ name }) => name).join(", ");
  return functionStatus(commit, planned, "error", `not deployed, because of ${others}`);
}

function functionStatus(
  commit: Commit,
  planned: PlannedFunction,
  state: CommitState,
  description: string,
): WantedStatus {
  const targetUrl = statusUrl(commit.urls, { ...commit, state, functionName: planned.name });
  return { context: planned.name, state, description, targetUrl };
}

function commitState({ state, fault }: Ending): CommitState {
  switch (state) {
    case "live":
      return "success";
    case "failed":
      return fault === "platform" ? "error" : "failure";
    case "superseded":
    case "cancelled":
      return "error";
  }
}
