import type {
  Endpoint,
  FunctionEndpoints,
  FunctionReport,
  ReleaseIdentity,
} from "#provider/provider.ts";
import { labels } from "#sdk/labels.ts";
import { FUNCTION_NAMESPACE, toSlug } from "#sdk/names.ts";
import { formatReport } from "../format-report.ts";
import type { FunctionRecord, Release } from "./function-record.ts";

/** A recorded function as lists and status calls tell it; a failed release goes before other problems. */
export function reportRecord(
  record: FunctionRecord,
  availableReplicas: number,
  otherProblem: string | undefined,
): FunctionReport {
  const { replicas, createdAt, next } = record;
  const failure =
    next?.failed === undefined ? undefined : `release ${next.release}: ${next.failed}`;
  const problem = failure ?? describeReturn(showing(record)) ?? otherProblem;
  return formatReport(showing(record).deployment, {
    replicas,
    availableReplicas,
    createdAt,
    ...(problem === undefined ? {} : { problem }),
  });
}

/** A recorded function as gateways hear of it. */
export function reportEndpoints(
  record: FunctionRecord,
  endpoints: readonly Endpoint[],
): FunctionEndpoints {
  const { name, replicas, current } = record;
  const owner = (current ?? showing(record)).deployment.labels?.[labels.gitOwner];
  return {
    ...{ name, namespace: FUNCTION_NAMESPACE, endpoints, replicas },
    ...(owner === undefined ? {} : { owner: toSlug(owner) }),
  };
}

function describeReturn({ release, switchedBack }: Release): string | undefined {
  if (switchedBack === undefined) return undefined;
  const { from, reason } = switchedBack;
  return `release ${from.release} gave way to ${release} after a ${reason}`;
}

/** What lists and scale limits go by: what is being started, unless it failed and something serves. */
export function showing({ current, next, name }: FunctionRecord): Release {
  const shown = next?.failed === undefined ? (next ?? current) : (current ?? next);
  if (shown === undefined) throw new Error(`The record of function ${name} holds no release.`);
  return shown;
}

export function identify({ release, fence }: Release): ReleaseIdentity {
  return { release, fence };
}

/** Of a release, for the log. */
export function facts({ release, fence, deployment }: Release): Record<string, unknown> {
  return { release, fence, image: deployment.image };
}
