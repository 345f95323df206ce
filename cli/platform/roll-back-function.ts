import type { Ledger } from "#ledger/types/ledger.ts";
import type { Release } from "#ledger/types/release.ts";
import type { Engine } from "#provider/provider.ts";
import { describe, HttpError } from "#sdk/errors.ts";
import type { GatewayClient } from "#sdk/gateway-client.ts";
import type { Log } from "#sdk/log.ts";
import { deployRelease, isRefusal } from "../../functions/buildshiprun/deploy-release.ts";
import { findTarget, type RollbackRequest } from "./find-target.ts";
import { listServed, shortSha } from "./list-versions.ts";
import { withSecretsVersion } from "./with-secrets-version.ts";

export type RollbackTools = {
  readonly ledger: Ledger;
  readonly gateway: GatewayClient;
  readonly engine: Pick<Engine, "secretsVersion" | "status">;
  readonly log: Log;
};

/** Short commit ids and the fence in force. */
export type RolledBack = {
  readonly function: string;
  readonly from: string;
  readonly to: string;
  readonly fence: number;
  /** Names of the secrets that it serves with earlier values of. */
  readonly earlierSecrets: readonly string[];
};

/**
 * Put back what a function served before, or at the commit that begins with `sha`: its image, environment
 * and limits in one switch, and with `withSecrets` the values that its secrets had then. It stays until a
 * push brings something else than what it was taken away from.
 */
export async function rollBackFunction(
  tools: RollbackTools,
  request: RollbackRequest,
): Promise<RolledBack> {
  const { ledger, engine, log } = tools;
  const { service } = request;
  const current = ledger.currentRelease(service);
  if (current === undefined) {
    throw new HttpError(
      404,
      "no-such-function",
      `There is no function "${service}"; ./ofc status lists them by the names they are deployed under.`,
    );
  }
  const found = findTarget(current, listServed(ledger, service), request);
  const version = request.withSecrets ? readSecretsVersion(engine, found) : undefined;
  const target = withSecretsVersion(found, version);
  const release = await deploy(tools, ledger.declareRollback(target), target);
  const { earlierSecrets = [] } = (await engine.status(service)) ?? {};
  const done = { from: shortSha(current), to: shortSha(target), fence: release.fence };
  log.info("function-rolled-back", { service, ...done, earlier_secrets: earlierSecrets });
  return { function: service, ...done, earlierSecrets };
}

/** Carry to their end the roll-backs that a crash interrupted. */
export async function finishRollbacks(
  tools: Pick<RollbackTools, "ledger" | "gateway" | "log">,
): Promise<void> {
  for (const release of tools.ledger.listUnfinishedRollbacks()) {
    try {
      await deploy(tools, release, release);
      tools.log.info("roll-back-finished", { service: release.service });
    } catch (error) {
      tools.log.warn("roll-back-failed", { service: release.service, error: describe(error) });
    }
  }
}

async function deploy(
  { ledger, gateway }: Pick<RollbackTools, "ledger" | "gateway">,
  declared: Release,
  target: Release,
): Promise<Release> {
  try {
    return await deployRelease({ ledger, gateway, now: Date.now }, declared, (ahead) =>
      ledger.declareRollback(target, ahead),
    );
  } catch (error) {
    if (isRefusal(error)) ledger.markRelease(declared.id, declared.service, "failed");
    throw error;
  }
}

/** Of a function without secrets there is nothing to bring back. */
function readSecretsVersion(
  engine: RollbackTools["engine"],
  { service, id, deployment: { secrets = [] } }: Release,
): string | undefined {
  if (secrets.length === 0) return undefined;
  return engine.secretsVersion(service, { release: id, secrets });
}
