import type { Build } from "#ledger/types/build.ts";
import type { Ledger } from "#ledger/types/ledger.ts";
import { HttpError } from "#sdk/errors.ts";
import type { GatewayClient } from "#sdk/gateway-client.ts";
import type { Job } from "#sdk/messages.ts";
import { stackStatus } from "#sdk/stack-status.ts";

/** Build and deploy the branch's newest commit again, for a function, `<owner>/<repository>` or a build id. */
export async function redeploy(
  { ledger, gateway }: { readonly ledger: Ledger; readonly gateway: GatewayClient },
  target: string,
): Promise<{ readonly build: string; readonly sha: string }> {
  const last = findBuildOf(ledger, target);
  const repository = ledger.findRepository(last.repositoryId);
  const owner = ledger.findOwner(last.ownerId);
  if (repository === undefined || owner === undefined)
    throw new HttpError(404, "no-such-repository", `The repository of "${target}" is gone.`);

  const { build, reason } = ledger.acceptManually({
    owner,
    repository,
    branch: last.branch,
    sha: last.sha,
    status: stackStatus(
      "pending",
      `${owner.slug}-${repository.name} is deployed again`,
      repository.url,
    ),
    reason: "redeploy by the operator",
  });
  if (build === undefined) throw new HttpError(409, "not-accepted", reason);
  const job: Job = { v: 1, buildId: build.id, step: "run" };
  await gateway.queue("git-tar", JSON.stringify(job), { headers: { "x-owner-id": owner.id } });
  return { build: build.id, sha: build.sha };
}

function findBuildOf(ledger: Ledger, target: string): Build {
  const direct = ledger.findBuild(target);
  if (direct !== undefined) return direct;
  const repositoryId =
    ledger.currentRelease(target)?.repositoryId ??
    ledger
      .listRepositories()
      .find(({ fullName }) => fullName.toLowerCase() === target.toLowerCase())?.id;
  const newest = ledger
    .listBuilds({ limit: 1_000 })
    .find((build) => build.repositoryId === repositoryId);
  if (newest === undefined) {
    throw new HttpError(
      404,
      "no-such-target",
      `"${target}" is no function, <owner>/<repository> or build id that is known here; ./ofc status lists them.`,
    );
  }
  return newest;
}
