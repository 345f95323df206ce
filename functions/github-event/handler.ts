import { createHash } from "node:crypto";
import type { Delivery } from "#ledger/types/delivery.ts";
import type { Ledger } from "#ledger/types/ledger.ts";
import type { Scm } from "#ledger/types/owner.ts";
import type { Handler } from "#sdk/answer.ts";
import { createAudit } from "#sdk/audit.ts";
import { describe, HttpError } from "#sdk/errors.ts";
import type { GatewayClient } from "#sdk/gateway-client.ts";
import type { Log } from "#sdk/log.ts";
import { formatPushEvent, type PushEvent } from "#sdk/push-event.ts";
import type { CallAnswer } from "#sdk/send-call.ts";
import type { Config } from "./config.ts";
import type { Customers } from "./customers.ts";
import { decideEvent, type EventDecision } from "./decide-event.ts";
import { identifySource, requireSecrets, type Source } from "./identify-source.ts";
import { readBody } from "./read-body.ts";

/** Everything the handler may touch outside itself. */
export type Tools = {
  readonly config: Config;
  readonly sources: readonly Source[];
  readonly customers: Customers;
  readonly ledger: Pick<Ledger, "findDelivery" | "recordDelivery" | "synced">;
  readonly gateway: Pick<GatewayClient, "call" | "queue">;
  readonly now?: () => number;
};

/** A verified delivery and the JSON it carries. */
type Verified = {
  readonly key: string;
  readonly id: string;
  readonly scm: Scm;
  readonly event: string;
  readonly payload: Buffer<ArrayBuffer>;
};

type Outcome = Pick<Delivery, "decision" | "reason" | "status"> & EventDecision["about"];

/** Receive one webhook delivery: verify, check the customer, route by event. Throws on empty secrets. */
export function createHandler(tools: Tools): Handler {
  const { config, sources, customers, ledger, gateway, now = Date.now } = tools;
  requireSecrets(sources);
  const audit = createAudit("github-event", gateway);

  return async function handleDelivery(request, log) {
    if (new URL(request.url).searchParams.get("setup_action") === "install") return welcomeBack();
    if (request.method !== "POST")
      throw new HttpError(405, "method-not-allowed", "Deliveries are sent with POST.");

    const body = await readBody(request, config.readTimeoutMs);
    const scm = identifySource(body, request.headers, sources, config.webhookSha1);
    const answer = await decide(readDelivery(request.headers, scm, body), log);
    await ledger.synced();
    return answer;
  };

  async function decide(delivery: Verified, log: Log): Promise<Response> {
    const earlier = ledger.findDelivery(delivery.key);
    if (earlier !== undefined && isFinal(earlier)) return answerAgain(earlier, log);

    const outcome = await settle(delivery, log);
    return outcome instanceof Response ? outcome : record(delivery, outcome, log);
  }

  /** What becomes of a delivery; refusals are outcomes too, so that they are recorded. */
  async function settle(delivery: Verified, log: Log): Promise<Outcome | Response> {
    try {
      requireIntake(delivery.scm);
      const { scm, event, payload } = delivery;
      return await act(delivery, decideEvent(scm, event, payload, now()), log);
    } catch (error) {
      if (!(error instanceof HttpError) || error.status >= 500) throw error;
      return { decision: "refused", reason: error.message, status: error.status };
    }
  }

  function requireIntake(scm: Scm): void {
    if (scm === "github" && !config.githubIntake)
      throw new HttpError(
        403,
        "github-intake-off",
        "Deliveries from GitHub are refused: github_intake is false, because builds and functions of " +
          "strangers are not isolated here; set process_engine_runs_strangers_code=true to accept that, or change the engine.",
      );
  }

  async function act(
    delivery: Verified,
    decision: EventDecision,
    log: Log,
  ): Promise<Outcome | Response> {
    const { about, reason } = decision;
    switch (decision.kind) {
      case "push":
        return (await refuseStranger(decision, log)) ?? forward(delivery, decision.push);
      case "welcome": {
        const refused = await refuseStranger(decision, log);
        if (refused === undefined) audit(reason, auditAbout(about), log);
        return refused ?? { ...about, decision: "ignored", reason, status: 200 };
      }
      case "clean":
        for (const request of decision.requests)
          await gateway.queue("garbage-collect", JSON.stringify(request), {
            headers: { "x-owner-id": request.ownerId },
          });
        return { ...about, decision: "ignored", reason, status: 200 };
      case "ignore":
        return { ...about, decision: "ignored", reason, status: 200 };
    }
  }

  async function refuseStranger({ about }: EventDecision, log: Log): Promise<Outcome | undefined> {
    const reason = await customers.refuse(about.ownerLogin ?? "", log);
    if (reason === undefined) return undefined;
    audit("Customer not found", auditAbout(about), log);
    return { ...about, decision: "refused", reason, status: 403 };
  }

  /** github-push's answer is the answer; without one the delivery has to come again. */
  async function forward(delivery: Verified, push: PushEvent): Promise<Response> {
    const answer = await callPush(delivery, push).catch((error: unknown) => {
      throw unreachable(describe(error), error);
    });
    const text = await answer.text();
    if (answer.status === 404 || answer.status >= 500)
      throw unreachable(`it answered ${answer.status}: ${text.slice(0, 200)}`);
    const headers = { "content-type": answer.headers.get("content-type") ?? "application/json" };
    return new Response(text, { status: answer.status, headers });
  }

  /** The query is under the internal signature, headers would not be. */
  function callPush({ id, scm, event }: Verified, push: PushEvent): Promise<CallAnswer> {
    return gateway.call("github-push", formatPushEvent(push), {
      query: `?${new URLSearchParams({ scm, delivery: id })}`,
      headers: {
        "content-type": "application/json",
        "x-github-event": event,
        "x-github-delivery": id,
      },
      signal: AbortSignal.timeout(config.forwardTimeoutMs),
    });
  }

  function record({ key, event }: Verified, outcome: Outcome, log: Log): Response {
    const isFirst = ledger.recordDelivery({ key, event, receivedAt: now(), ...outcome });
    const { ownerLogin, repository, ref, sha, ...rest } = outcome;
    log.info("delivery-decided", {
      key,
      github_event: event,
      ...rest,
      owner: ownerLogin,
      repository,
    });
    const first = isFirst ? undefined : ledger.findDelivery(key);
    return answer(first ?? outcome);
  }
}

function unreachable(why: string, cause?: unknown): HttpError {
  const message = `github-push could not take the push: ${why}. Deliver it again.`;
  return new HttpError(502, "push-not-taken", message, { cause });
}

/** A build may be tried again, and the cause of a refusal may be gone. */
function isFinal({ buildId, decision }: Delivery): boolean {
  return buildId === undefined && decision !== "refused";
}

function answerAgain(earlier: Delivery, log: Log): Response {
  log.info("delivery-repeated", { key: earlier.key, reason: earlier.reason });
  return answer(earlier);
}

function answer({ status, reason }: Pick<Delivery, "status" | "reason">): Response {
  return Response.json({ queued: false, reason }, { status });
}

function auditAbout({ ownerLogin = "", repository = "" }: EventDecision["about"]) {
  return { owner: ownerLogin, repository };
}

function welcomeBack(): Response {
  return new Response("Installation completed, please return to the installation guide.\n");
}

/** Names from the headers; a delivery without an id is known by its body, so a repeat is still a repeat. */
function readDelivery(headers: Headers, scm: Scm, body: Buffer<ArrayBuffer>): Verified {
  const event = headers.get("x-github-event") ?? "";
  if (!/^[a-z][a-z0-9_]{0,63}$/.test(event))
    throw new HttpError(400, "bad-header", "X-GitHub-Event must name the event: push, ping, …");
  const digest = createHash("sha256").update(body).digest("hex");
  const id = headers.get("x-github-delivery") ?? `body-${digest.slice(0, 32)}`;
  if (!/^[\w-]{1,100}$/.test(id))
    throw new HttpError(400, "bad-header", "X-GitHub-Delivery must be letters, digits, - and _.");
  return { key: `${scm}:${id}`, id, scm, event, payload: unwrap(headers, body) };
}

/** JSON as it is, or the `payload` field of a form (GitHub's other content type). */
function unwrap(headers: Headers, body: Buffer<ArrayBuffer>): Buffer<ArrayBuffer> {
  const type = headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (type !== "application/x-www-form-urlencoded") return body;
  return Buffer.from(new URLSearchParams(body.toString("utf8")).get("payload") ?? "");
}
