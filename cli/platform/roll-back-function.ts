import type { Ledger } from "#ledger/types/ledger.ts";
import type { Release } from "#ledger/types/release.ts";
import { describe, HttpError } from "#sdk/errors.ts";
import type { GatewayClient } from "#sdk/gateway-client.ts";
import { labels } from "#sdk/labels.ts";
import type { Log } from "#sdk/log.ts";
import { deployRelease, isRefusal } from "../../functions/buildshiprun/deploy-release.ts";
import { listServed, shortSha } from "./list-versions.ts";

export type RollbackTools = {
  readonly ledger: Ledger;
  readonly gateway: GatewayClient;
  readonly log: Log;
};

/** Short commit ids and the fence in force. */
export type RolledBack = {
  readonly function: string;
  readonly from: string;
  readonly to: string;
  readonly fence: number;
};

/**
 * Put back what a function served before, or at the commit that begins with `sha`: its image, environment
 * and limits in one switch. It stays until a push brings something else than what it was taken away from.
 */
export async function rollBackFunction(
  tools: RollbackTools,
  service: string,
  sha?: string,
): Promise<RolledBack> {
  const { ledger, log } = tools;
  const current = ledger.currentRelease(service);
  if (current === undefined) {
    throw new HttpError(
      404,
      "no-such-function",
      `There is no function "${service}"; ./ofc status lists them by the names they are deployed under.`,
    );
  }
  const target = findTarget(current, listServed(ledger, service), sha);
  const release = await deploy(tools, ledger.declareRollback(target), target);
  const done = { from: shortSha(current), to: shortSha(target), fence: release.fence };
  log.info("function-rolled-back", { service, ...done });
  return { function: service, ...done };
}

/** Carry to their end the roll-backs that a crash interrupted. */
export async function finishRollbacks(tools: RollbackTools): Promise<void> {
  for (const release of tools.ledger.listUnfinishedRollbacks()) {
    try {
      await deploy(tools, release, release);
      tools.log.info("roll-back-finished", { service: release.service });
    } catch (error) {
      tools.log.warn("roll-back-failed", { service: release.service, error: describe(error) });
    }
  }
}

async function deploy(tools: RollbackTools, declared: Release, target: Release): Promise<Release> {
  try {
    return await deployRelease({ ...tools, now: Date.now }, declared, (ahead) =>
      tools.ledger.declareRollback(target, ahead),
    );
  } catch (error) {
    if (isRefusal(error)) tools.ledger.markRelease(declared.id, declared.service, "failed");
    throw error;
  }
}

function findTarget(current: Release, served: readonly Release[], sha: string | undefined) {
  const others = served.filter(({ generation }) => generation !== current.generation);
  const target =
    sha === undefined
      ? others.find(({ generation }) => generation < current.generation)
      : others.find(({ deployment }) => deployment.labels?.[labels.gitSha]?.startsWith(sha));
  if (target !== undefined) return target;
  const known = [...new Set(others.map(shortSha))].join(", ");
  const what = sha === undefined ? "no earlier version" : `no other version of commit "${sha}"`;
  throw new HttpError(
    404,
    "no-such-version",
    `Function "${current.service}" has ${what}; ${known === "" ? "nothing else is kept" : `kept are ${known}`}.`,
  );
}
