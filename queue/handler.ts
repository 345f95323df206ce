import { randomUUID } from "node:crypto";
import type { Handler } from "#sdk/answer.ts";
import { HttpError } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import type { Lane } from "./lane.ts";
import {
  keepHeaders,
  parseCallbackUrl,
  parseCallId,
  parseOwnerId,
  parseTarget,
  readBody,
  type Target,
} from "./parse-async-request.ts";
import { publishCall } from "./publish.ts";
import { readRetryPolicy } from "./retry-policy.ts";
import type { QueueSettings } from "./settings.ts";
import { readStatus } from "./status.ts";
import { jobIdOf, type LaneName, type QueueName, queueOf, type StoredCall } from "./stored-call.ts";

/** What is to be known about a users' function before a call of it is taken. */
type KnownFunction = {
  readonly annotations: Readonly<Record<string, string>>;
};
export type FindFunction = (name: string) => Promise<KnownFunction | undefined>;

export type HandlerTools = {
  readonly settings: QueueSettings;
  readonly lanes: Readonly<Record<LaneName, Pick<Lane, "jobs" | "backlog">>>;
  /** A users' function, if it is deployed; without it every name is taken. */
  readonly find: FindFunction | undefined;
  /** Stop a call of a user's function; false when there is none to stop. */
  readonly cancel: (callId: string) => Promise<boolean>;
  /** Told of each call that is stored. */
  readonly accepted: (queue: QueueName) => void;
};

/** `POST /async-function/…`, `DELETE /async-function/<call id>` and `GET /async-status/<call id>`. */
export function createHandler(tools: HandlerTools): Handler {
  return async function handleAsync(request, log) {
    const url = new URL(request.url);
    const [, room, callId = ""] = url.pathname.split("/");
    if (room === "async-function" && request.method === "POST") return accept(request, url, log);
    if (room === "async-function" && request.method === "DELETE") return cancel(callId);
    if (room === "async-status" && request.method === "GET") return tellStatus(callId);
    throw new HttpError(
      405,
      "bad-method",
      `${request.method} ${url.pathname} is not offered; POST /async-function/<name> queues a call.`,
    );
  };

  async function accept(request: Request, url: URL, log: Log): Promise<Response> {
    const acceptedAt = Date.now();
    const target = parseTarget(url);
    const callbackUrl = parseCallbackUrl(request.headers, tools.settings.callbackPrivate);
    const given = parseCallId(request.headers);
    const queue = queueOf(target.namespace);
    const found = queue === "pipeline" ? undefined : await requireFunction(target);
    const ownerId = parseOwnerId(request.headers, target);
    if (callbackUrl !== undefined)
      await tools.lanes.callbacks.backlog.require({ ownerId, bytes: 0 });
    const body = await readBody(request, tools.settings[queue].bodyLimitBytes);

    const { name, namespace, path, query } = target;
    const callId = await store(queue, {
      v: 1,
      callId: given,
      nonce: randomUUID(),
      method: "POST",
      function: name,
      namespace,
      path,
      query,
      headers: keepHeaders(request.headers),
      body: body.toString("base64"),
      bytes: body.length,
      ownerId,
      acceptedAt,
      ...(callbackUrl === undefined ? {} : { callbackUrl }),
      ...readRetry(found, log),
    });
    tools.accepted(queue);
    log.info("call-queued", {
      function: name,
      owner: ownerId,
      call_id: callId,
      bytes: body.length,
    });
    const headers = { "x-call-id": callId, "x-start-time": `${BigInt(acceptedAt) * 1_000_000n}` };
    return new Response(null, { status: 202, headers });
  }

  async function requireFunction({ name }: Target): Promise<KnownFunction | undefined> {
    if (tools.find === undefined) return undefined;
    const found = await tools.find(name);
    if (found !== undefined) return found;
    throw new HttpError(
      404,
      "no-such-function",
      `Function ${name} is not deployed; deploy it first.`,
    );
  }

  function readRetry(found: KnownFunction | undefined, log: Log): Pick<StoredCall, "retry"> {
    const defaults = tools.settings.invocations;
    const { policy, ignored } = readRetryPolicy(found?.annotations ?? {}, defaults);
    for (const reason of ignored) log.warn("retry-annotation-ignored", { reason });
    return policy === undefined ? {} : { retry: policy };
  }

  /** A call id that another call holds is replaced, so that no call is lost to it and none is confused. */
  async function store(queue: QueueName, call: StoredCall): Promise<string> {
    const { jobs, backlog } = tools.lanes[queue];
    await backlog.reserve(call);
    try {
      const turn = backlog.turns.take(call.ownerId);
      const { [queue]: settings, publishTimeoutMs } = tools.settings;
      if (await publishCall(jobs, call, turn, settings, publishTimeoutMs)) return call.callId;
      const callId = randomUUID();
      await publishCall(jobs, { ...call, callId }, turn, settings, publishTimeoutMs);
      return callId;
    } catch (error) {
      backlog.release(call);
      throw error;
    }
  }

  async function cancel(callId: string): Promise<Response> {
    if (await tools.cancel(callId)) return new Response(null, { status: 202 });
    throw unknownCall(callId);
  }

  async function tellStatus(callId: string): Promise<Response> {
    for (const { jobs } of [tools.lanes.invocations, tools.lanes.pipeline]) {
      const job = await jobs.getJob(jobIdOf(callId));
      if (job !== undefined) return Response.json(await readStatus(callId, job));
    }
    throw unknownCall(callId);
  }
}

function unknownCall(callId: string): HttpError {
  return new HttpError(
    404,
    "no-such-call",
    `No call ${JSON.stringify(callId)} is known; finished calls are forgotten after a while.`,
  );
}
