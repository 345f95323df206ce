import { createHash } from "node:crypto";
import type { ExecutionContext } from "ava";
import {
  buildOf,
  claim,
  setUp as openLedgerFor,
  plannedFunction,
  planOf,
  push,
  shaOf,
} from "#ledger/test-support/set-up.ts";
import type { Claim } from "#ledger/types/build.ts";
import type { PlannedFunction } from "#ledger/types/plan.ts";
import { labels } from "#sdk/labels.ts";

function digestOf(version: string): string {
  return `sha256:${createHash("sha256").update(version).digest("hex")}`;
}

/** A function as it is planned when its files are at `version`. */
export function functionAt(name: string, version: string): PlannedFunction {
  const planned = plannedFunction(name);
  const own = { [labels.gitOwnerId]: "1", [labels.gitRepoId]: "10" };
  return {
    ...planned,
    key: `v1:${name} ${version}`,
    image: `${name}:${version}`,
    deployment: { ...planned.deployment, labels: own },
  };
}

/** A ledger, and builds in it up to the step that buildshiprun takes. */
export function openBuilds(t: ExecutionContext) {
  const place = openLedgerFor(t);
  const { ledger } = place;
  let pushes = 0;

  return { ...place, ledger, plan, built, again, reclaim };

  /** A claimed build with this plan. */
  function plan(...functions: readonly PlannedFunction[]): Claim {
    pushes += 1;
    const held = claim(ledger, buildOf(ledger.acceptPush(push({ sha: shaOf(pushes) }))));
    ledger.storePlan(held, planOf(...functions), []);
    return again(held);
  }

  /** A claimed build that is deploying; keys were built to `digestOf(key)`. */
  function built(...functions: readonly PlannedFunction[]): Claim {
    const held = plan(...functions);
    for (const { key, image } of functions) {
      const { ownerId } = held.build;
      const digest = digestOf(key);
      ledger.recordArtifact({ ownerId, key, digest, image, sizeBytes: 1, createdAt: 0 });
    }
    if (!ledger.beginDeploying(held)) throw new Error("The build may not deploy.");
    return again(held);
  }

  /** The claim with the build as it is now. */
  function again(held: Claim): Claim {
    const build = ledger.findBuild(held.build.id);
    if (build === undefined) throw new Error("The build is gone.");
    return { ...held, build };
  }

  /** As after a crash of the worker: the lease is void and the build is claimed anew. */
  function reclaim(held: Claim): Claim {
    ledger.voidLeases();
    return claim(ledger, held.build);
  }
}
