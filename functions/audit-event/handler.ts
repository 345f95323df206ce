import { z } from "zod";
import type { Ledger } from "#ledger/types/ledger.ts";
import type { Handler } from "#sdk/answer.ts";
import { AUDIT_EVENTS_LIMIT } from "#sdk/audit.ts";
import { describe, HttpError } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import type { AuditEvent } from "#sdk/messages.ts";
import { parseJson } from "#sdk/push-event.ts";
import type { Config } from "./config.ts";

/** Everything the handler may touch outside itself. */
export type Tools = {
  readonly config: Config;
  readonly ledger: Pick<Ledger, "recordAudit">;
  readonly fetch?: typeof globalThis.fetch;
};

const text = z.string().max(10_000).default("");
const wire = z.object({
  v: z.literal(1).default(1),
  Source: text,
  Message: text,
  Owner: text,
  Repo: text,
});
const oneOrMore = z
  .union([z.array(wire).min(1).max(AUDIT_EVENTS_LIMIT), wire])
  .transform((events) => (Array.isArray(events) ? events : [events]));

/** Keep what happened: in the log, in the ledger, and in a Slack channel where one is named. */
export function createHandler({ config, ledger, fetch = globalThis.fetch }: Tools): Handler {
  return async function handleAudit(request, log) {
    const events = parseAuditEvents(new Uint8Array(await request.arrayBuffer()));
    const entries = events.map(({ Source, Message, Owner, Repo }) => {
      return { source: Source, message: Message, owner: Owner, repository: Repo };
    });
    for (const entry of entries) log.info("audited", entry);
    ledger.recordAudit(entries);
    if (config.slackUrl !== "") for (const event of events) await tellSlack(event, log);
    return new Response("audit-event: done\n");
  };

  /** A chat that is down is no reason to hear of the event again. */
  async function tellSlack(event: AuditEvent, log: Log): Promise<void> {
    try {
      const response = await fetch(config.slackUrl, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ text: formatSlackText(event) }),
        signal: AbortSignal.timeout(config.slackTimeoutMs),
      });
      await response.body?.cancel();
      if (!response.ok) log.warn("slack-refused", { status: response.status });
    } catch (error) {
      log.warn("slack-unreachable", { error: describe(error) });
    }
  }
}

/** One, as others send it, or a list of what our own rooms gathered. */
function parseAuditEvents(body: Uint8Array): readonly AuditEvent[] {
  const parsed = oneOrMore.safeParse(parseJson(body));
  if (parsed.success) return parsed.data;
  throw new HttpError(400, "bad-body", `Not an audit event: ${z.prettifyError(parsed.error)}`);
}

/** `[<Source>] <Owner>/<Repo>: '<Message>'`, with Slack's own mark-up (mentions, links) taken literally. */
function formatSlackText({ Source, Owner, Repo, Message }: AuditEvent): string {
  return `[${Source}] ${Owner}/${Repo}: '${Message}'`
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;");
}
