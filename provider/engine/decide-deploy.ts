import { HttpError } from "#sdk/errors.ts";
import { ownerIdOf, repositoryIdOf } from "#sdk/function-owner.ts";
import { labels } from "#sdk/labels.ts";
import type { FunctionDeployment } from "#sdk/messages.ts";
import { notFound } from "../engine-errors.ts";
import type { FunctionRecord, Release } from "./function-record.ts";

export type DeployMode = "create" | "update" | "any";

/** What a deploy asks for: `serving` is done, `starting` waits for the one under way, `start` begins. */
export type DeployDecision =
  | { readonly act: "serving"; readonly release: Release }
  | { readonly act: "starting"; readonly release: Release }
  | { readonly act: "start"; readonly release: Release };

/**
 * Is this deploy accepted over what is recorded (design.md section 7, line 1)? Throws `exists`,
 * `not-found`, `owned-by-another`, `stale-fence` or `invalid`.
 */
export function decideDeploy(
  record: FunctionRecord | undefined,
  deployment: FunctionDeployment,
  options: { readonly mode: DeployMode; readonly force: boolean; readonly newRelease: string },
): DeployDecision {
  const name = deployment.service;
  const known = deployment.labels?.[labels.release];
  checkPresence(record, known, name, options.mode);
  if (record !== undefined && !options.force) checkOwner(record, deployment);

  if (known !== undefined && record?.current?.release === known && !isPending(record.next))
    return { act: "serving", release: record.current };
  const fence = readFence(deployment) ?? (record?.fence ?? 0) + 1;
  if (known !== undefined && record?.next?.release === known && record.next.fence === fence) {
    const { failed, ...release } = record.next;
    return { act: failed === undefined ? "starting" : "start", release };
  }
  if (record !== undefined && fence <= record.fence) {
    throw new HttpError(
      409,
      "stale-fence",
      `Function "${name}" is at fence ${record.fence}; a deploy with fence ${fence} came too late.`,
    );
  }
  return { act: "start", release: { release: known ?? options.newRelease, fence, deployment } };
}

function isPending(next: Release | undefined): boolean {
  return next !== undefined && next.failed === undefined;
}

function checkPresence(
  record: FunctionRecord | undefined,
  release: string | undefined,
  name: string,
  mode: DeployMode,
): void {
  if (mode === "update" && record === undefined) throw notFound(name);
  if (mode !== "create" || record === undefined) return;
  // The same release again is a repeated call whose first answer was lost.
  if (release !== undefined && latest(record)?.release === release) return;
  throw new HttpError(409, "exists", `Function "${name}" exists; update it with PUT.`);
}

function checkOwner(record: FunctionRecord, deployment: FunctionDeployment): void {
  const held = { labels: latest(record)?.deployment.labels ?? {} };
  const asked = { labels: deployment.labels ?? {} };
  const same = [ownerIdOf, repositoryIdOf].every((idOf) => idOf(held) === idOf(asked));
  if (!same) {
    throw new HttpError(
      409,
      "owned-by-another",
      `Function "${record.name}" belongs to another owner or repository; choose another name.`,
    );
  }
}

function latest(record: FunctionRecord): Release | undefined {
  return record.next ?? record.current;
}

function readFence(deployment: FunctionDeployment): number | undefined {
  const text = deployment.labels?.[labels.fence];
  if (text === undefined) return undefined;
  const fence = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(fence)) return fence;
  throw new HttpError(
    400,
    "invalid",
    `Label ${labels.fence} is "${text}"; expected a whole number.`,
  );
}
