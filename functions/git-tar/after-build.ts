import type { Build, Claim } from "#ledger/types/build.ts";
import type { Ledger } from "#ledger/types/ledger.ts";
import { describe } from "#sdk/errors.ts";
import type { GatewayClient } from "#sdk/gateway-client.ts";
import type { Log } from "#sdk/log.ts";
import type { GarbageRequest, Job } from "#sdk/messages.ts";

type Tools = { readonly ledger: Ledger; readonly gateway: GatewayClient };

/**
 * Queue the removal of functions that this build's stack no longer has. Called before the build is
 * recorded as live, so that a crash in between asks again rather than never.
 */
export async function collectGarbage({ ledger, gateway }: Tools, { build }: Claim): Promise<void> {
  const plan = ledger.findBuild(build.id)?.plan;
  const owner = ledger.findOwner(build.ownerId);
  const repository = ledger.findRepository(build.repositoryId);
  if (plan === undefined || owner === undefined || repository === undefined) return;
  const kept = new Set(plan.functions.map(({ service }) => service));
  const garbage = ledger.listServing({ repositoryId: repository.id });
  if (garbage.every(({ service }) => kept.has(service))) return;

  const request: GarbageRequest = {
    functions: plan.functions.map(({ name }) => name),
    repo: repository.name,
    owner: owner.login,
    ownerId: owner.id,
    repositoryId: repository.id,
    buildId: build.id,
  };
  await gateway.queue("garbage-collect", JSON.stringify(request), {
    headers: { "x-owner-id": owner.id },
  });
}

/** The commit is told off the critical path; the sweeper repeats what gets lost here. */
export async function reportStatus({ gateway }: Tools, build: Build, log: Log): Promise<void> {
  const job: Job = { v: 1, buildId: build.id, step: "status" };
  try {
    await gateway.queue("github-status", JSON.stringify(job), {
      headers: { "x-owner-id": build.ownerId },
    });
  } catch (error) {
    log.warn("status-not-queued", { error: describe(error) });
  }
}
