import type { Build } from "#ledger/types/build.ts";
import type { Ledger } from "#ledger/types/ledger.ts";
import type { Handler } from "#sdk/answer.ts";
import { createAudit } from "#sdk/audit.ts";
import { describe, HttpError } from "#sdk/errors.ts";
import type { GatewayClient } from "#sdk/gateway-client.ts";
import type { Log } from "#sdk/log.ts";
import type { GarbageRequest } from "#sdk/messages.ts";
import type { ObjectStore } from "#sdk/object-store.ts";
import { findGarbage, type Garbage, type GarbageLedger, isRemoval } from "./find-garbage.ts";
import { findSecrets } from "./find-secrets.ts";
import { parseGarbageRequest } from "./parse-garbage-request.ts";

/** Everything the handler may touch outside itself. */
export type Tools = {
  readonly ledger: GarbageLedger & Pick<Ledger, "cancelBuild" | "listOwners" | "removeFunction">;
  readonly gateway: Pick<
    GatewayClient,
    "list" | "remove" | "queue" | "listSecrets" | "removeSecret"
  >;
  readonly objects: ObjectStore;
};

/** Delete the functions a repository no longer has. Only what is gone counts; the rest is tried again. */
export function createHandler({ ledger, gateway, objects }: Tools): Handler {
  const audit = createAudit("garbage-collect", gateway);

  return async function handleGarbage(request, log) {
    const asked = parseGarbageRequest(new Uint8Array(await request.arrayBuffer()));
    const about = { owner: asked.owner, repository: asked.repo };
    const garbage = findGarbage(ledger, await gateway.list(), asked);
    const failures = cancelBuilds(garbage);
    const deleted = await deleteFunctions(garbage.services, failures, log);
    if (failures.length > 0) {
      for (const failure of failures) audit(failure, about, log);
      throw new HttpError(503, "garbage-left", `${failures.join("; ")}. It is tried again.`);
    }

    await forgetLogs(asked);
    await forgetSecrets(asked, log);
    const message = `Garbage collection ran for ${asked.owner}/${asked.repo} - ${deleted.length} functions deleted.`;
    log.info("garbage-collected", { ...about, owner_id: asked.ownerId, deleted });
    if (deleted.length > 0) audit(message, about, log);
    return answer(request, message, deleted);
  };

  /** A build that is being deployed cannot be stopped: what it deploys is garbage for the next try. */
  function cancelBuilds({ builds }: Garbage): string[] {
    return builds
      .filter(({ id }) => !ledger.cancelBuild(id, "the repository was removed"))
      .map(({ id }) => `Build ${id} is being deployed`);
  }

  async function deleteFunctions(
    services: readonly string[],
    failures: string[],
    log: Log,
  ): Promise<string[]> {
    const deleted: string[] = [];
    for (const service of services) {
      try {
        if (await gateway.remove(service)) deleted.push(service);
        ledger.removeFunction(service);
      } catch (error) {
        log.warn("function-not-deleted", { service, error: describe(error) });
        failures.push(`Unable to delete function: \`${service}\` (${describe(error)})`);
      }
    }
    return deleted;
  }

  /** The logs of a repository go with it, unless it was pushed to again since. */
  async function forgetLogs(asked: GarbageRequest): Promise<void> {
    if (!isRemoval(asked)) return;
    const { ownerId, repositoryId } = asked;
    const folders =
      asked.repo === "*"
        ? ledger.listRepositories(ownerId).map(({ id }) => id)
        : repositoryId === undefined
          ? []
          : [repositoryId];
    const recent = listSince(asked);
    for (const id of folders) {
      if (!recent.some((build) => build.repositoryId === id))
        await objects.remove(`${ownerId}/${id}`);
    }
  }

  /** Secrets are an account's, not a repository's: they go with it, unless it came back since. */
  async function forgetSecrets(asked: GarbageRequest, log: Log): Promise<void> {
    const owner = ledger.findOwner(asked.ownerId);
    if (!isRemoval(asked) || asked.repo !== "*" || owner === undefined) return;
    if (listSince(asked).length > 0) return;
    const [stored, deployed] = [await gateway.listSecrets(), await gateway.list()];
    for (const secret of findSecrets(stored, owner, ledger.listOwners(), deployed)) {
      await gateway.removeSecret(secret);
      log.info("secret-dropped", { secret, owner_id: owner.id });
    }
  }

  /** Builds of the owner that came after what made the garbage. */
  function listSince({ ownerId, before = Number.POSITIVE_INFINITY }: GarbageRequest): Build[] {
    const builds = ledger.listBuilds({ ownerId, limit: 500 });
    return builds.filter(({ acceptedAt }) => acceptedAt > before);
  }
}

/** Text as ever, JSON where it is asked for. */
function answer(request: Request, message: string, deleted: readonly string[]): Response {
  const wantsJson = request.headers.get("accept")?.includes("application/json") ?? false;
  return wantsJson ? Response.json({ message, deleted }) : new Response(message);
}
