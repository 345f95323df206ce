import type { Delivery } from "#ledger/types/delivery.ts";
import type { Ledger } from "#ledger/types/ledger.ts";
import type { Scm } from "#ledger/types/owner.ts";
import type { Handler } from "#sdk/answer.ts";
import { createAudit } from "#sdk/audit.ts";
import { HttpError } from "#sdk/errors.ts";
import type { GatewayClient } from "#sdk/gateway-client.ts";
import type { Log } from "#sdk/log.ts";
import { type PushEvent, parsePushEvent } from "#sdk/push-event.ts";
import { STACK_CONTEXT, stackStatus } from "#sdk/stack-status.ts";
import { createBuildQuota } from "./build-quota.ts";
import type { Config } from "./config.ts";
import { type BuildDecision, decideBuild } from "./decide-build.ts";
import { createQueueBuild } from "./queue-build.ts";
import { type AcceptCommit, toAcceptPush } from "./to-accept-push.ts";

/** Everything the handler may touch outside itself. */
export type Tools = {
  readonly config: Config;
  readonly ledger: Pick<
    Ledger,
    | "acceptPush"
    | "recordDelivery"
    | "synced"
    | "findDelivery"
    | "recordRepository"
    | "listStatuses"
    | "wantStatus"
    | "nthNewestBuild"
  >;
  readonly gateway: Pick<GatewayClient, "queue">;
  readonly now?: () => number;
};

type Received = { readonly scm: Scm; readonly key: string; readonly push: PushEvent };

/** Decide about one verified push and hand a buildable one to git-tar. Accepted is durable, then 202. */
export function createHandler({ config, ledger, gateway, now = Date.now }: Tools): Handler {
  const audit = createAudit("github-push", gateway);
  const queueBuild = createQueueBuild(gateway, config.queueTimeoutMs);
  const refuseBuild = createBuildQuota(ledger, config.buildsPerHour, now);

  return async function handlePush(request, log) {
    const received = {
      ...readQuery(request.url),
      push: parsePushEvent(new Uint8Array(await request.arrayBuffer())),
    };
    const decision = decideBuild(received.push, config.buildBranch);
    const answer = decision.build
      ? accept(received, decision.branch, log)
      : skip(received, decision, log);
    await ledger.synced();
    return answer;
  };

  function accept({ scm, key, push }: Received, branch: string, log: Log): Response {
    const commit = toAcceptPush(scm, push, branch, config.urls);
    // What was accepted before is answered the same; what was refused is decided anew.
    const known = ledger.findDelivery(key);
    const isNew = known === undefined || known.decision === "refused";
    const tooMany = isNew ? refuseBuild(commit.owner) : undefined;
    if (tooMany !== undefined) {
      ledger.recordDelivery(toDelivery(key, push, tooMany, now(), TOO_MANY));
      return refuse(commit, key, tooMany, TOO_MANY.status, log);
    }
    const accepted = ledger.acceptPush({ ...commit, deliveryKey: key, event: "push" });
    const { decision, reason, build, superseded } = accepted;
    const about = { owner: push.owner.login, repository: push.repository.name };
    if (build === undefined) {
      const status = ledger.findDelivery(key)?.status ?? 403;
      return refuse(commit, key, reason, status, log);
    }

    const facts = { ...about, key, sha: push.sha, build: build.id, reason };
    if (decision === "queued") {
      log.info("build-queued", { ...facts, superseded });
      void queueBuild(build, log).then((isOwn) => isOwn && audit("Git-tar invoked", about, log));
    } else {
      log.info("delivery-repeated", facts);
    }
    return Response.json({ queued: true, sha: build.sha, build: build.id }, { status: 202 });
  }

  function refuse(
    { owner, repository, sha, status: pending }: AcceptCommit,
    key: string,
    reason: string,
    httpStatus: number,
    log: Log,
  ): Response {
    const about = { owner: owner.login, repository: repository.name };
    log.warn("push-refused", { ...about, key, sha, reason });
    audit(reason, about, log);
    ledger.recordRepository(repository);
    ledger.wantStatus(repository.id, sha, stackStatus("failure", reason, pending.targetUrl));
    return Response.json({ queued: false, reason }, { status: httpStatus });
  }

  function skip(
    received: Received,
    { reason, skipped }: BuildDecision & { build: false },
    log: Log,
  ): Response {
    const { key, push } = received;
    const about = { owner: push.owner.login, repository: push.repository.name };
    const isFirst = ledger.recordDelivery(toDelivery(key, push, reason, now(), SKIPPED));
    log.info("build-skipped", { ...about, key, sha: push.sha, reason });
    if (isFirst) {
      if (skipped) showSkipped(received, reason);
      audit(reason, about, log);
    }
    return Response.json({ queued: false, reason: ledger.findDelivery(key)?.reason ?? reason });
  }

  /** Never over what a build of the same commit said. */
  function showSkipped({ scm, push }: Received, reason: string): void {
    const { repository } = toAcceptPush(scm, push, push.name, config.urls);
    ledger.recordRepository(repository);
    const shown = ledger.listStatuses(repository.id, push.sha);
    if (shown.some(({ context }) => context === STACK_CONTEXT)) return;
    const status = stackStatus("success", reason, push.repository.url);
    ledger.wantStatus(repository.id, push.sha, { ...status, skipped: true });
  }
}

/** `?scm=&delivery=`, which github-event sets and the internal signature covers. */
function readQuery(url: string): { readonly scm: Scm; readonly key: string } {
  const query = new URL(url).searchParams;
  const scm = query.get("scm");
  const id = query.get("delivery") ?? "";
  if ((scm !== "github" && scm !== "forge") || !/^[\w-]{1,100}$/.test(id))
    throw new HttpError(400, "bad-query", "github-push needs ?scm=github|forge&delivery=<id>.");
  return { scm, key: `${scm}:${id}` };
}

const SKIPPED = { decision: "skipped", status: 200 } as const;
/** Not 429: sources would send it again and again until it is accepted. */
const TOO_MANY = { decision: "refused", status: 403 } as const;

function toDelivery(
  key: string,
  push: PushEvent,
  reason: string,
  receivedAt: number,
  outcome: Pick<Delivery, "decision" | "status">,
): Delivery {
  return {
    key,
    event: "push",
    receivedAt,
    ...outcome,
    reason,
    ownerLogin: push.owner.login,
    repository: push.repository.fullName,
    ref: push.ref,
    sha: push.sha,
  };
}
