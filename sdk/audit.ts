import { describe } from "#sdk/errors.ts";
import type { GatewayClient } from "#sdk/gateway-client.ts";
import type { Log } from "#sdk/log.ts";
import type { AuditEvent } from "#sdk/messages.ts";
import { createGather } from "./gather.ts";

export type Audit = (
  message: string,
  about: { readonly owner: string; readonly repository: string },
  log: Log,
) => void;

type Told = { readonly event: AuditEvent; readonly log: Log };

/** Most events of one job. */
export const AUDIT_EVENTS_LIMIT = 500;

/** Tell audit-event through the queue, off the caller's path; a refusal is logged and nothing more. */
export function createAudit(source: string, gateway: Pick<GatewayClient, "queue">): Audit {
  const gather = createGather<Told>(async (told) => {
    for (let at = 0; at < told.length; at += AUDIT_EVENTS_LIMIT)
      await send(told.slice(at, at + AUDIT_EVENTS_LIMIT));
  });

  return (Message, { owner: Owner, repository: Repo }, log) =>
    void gather(source, { event: { v: 1, Source: source, Message, Owner, Repo }, log });

  async function send(told: readonly Told[]): Promise<void> {
    try {
      const events = told.map(({ event }) => event);
      // One alone is the original's message.
      const body = events.length === 1 ? events[0] : events;
      await gateway.queue("audit-event", JSON.stringify(body));
    } catch (error) {
      for (const { event, log } of told) {
        const { Message: message, Owner: owner, Repo: repository } = event;
        log.warn("audit-not-queued", { message, owner, repository, error: describe(error) });
      }
    }
  }
}
