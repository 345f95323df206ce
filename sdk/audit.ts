import { setTimeout as wait } from "node:timers/promises";
import { describe } from "#sdk/errors.ts";
import type { GatewayClient } from "#sdk/gateway-client.ts";
import type { Log } from "#sdk/log.ts";
import type { AuditEvent } from "#sdk/messages.ts";

export type Audit = (
  message: string,
  about: { readonly owner: string; readonly repository: string },
  log: Log,
) => void;

/** How long events that follow another are gathered: a flood of pushes is not doubled by telling of it. */
const GATHER_MS = 100;
/** Most events of one job. */
export const AUDIT_EVENTS_LIMIT = 500;

/** Tell audit-event through the queue, off the caller's path; a refusal is logged and nothing more. */
export function createAudit(source: string, gateway: Pick<GatewayClient, "queue">): Audit {
  const waiting: AuditEvent[] = [];
  let isSending = false;

  return (message, { owner, repository }, log) => {
    waiting.push({ v: 1, Source: source, Message: message, Owner: owner, Repo: repository });
    if (!isSending) void sendAll(log);
  };

  async function sendAll(log: Log): Promise<void> {
    isSending = true;
    for (;;) {
      const events = waiting.splice(0, AUDIT_EVENTS_LIMIT);
      if (events.length === 0) break;
      await send(events, log);
      await wait(GATHER_MS);
    }
    isSending = false;
  }

  async function send(events: readonly AuditEvent[], log: Log): Promise<void> {
    try {
      // One alone is the original's message.
      const body = events.length === 1 ? events[0] : events;
      await gateway.queue("audit-event", JSON.stringify(body));
    } catch (error) {
      for (const { Message: message, Owner: owner, Repo: repository } of events)
        log.warn("audit-not-queued", { message, owner, repository, error: describe(error) });
    }
  }
}
