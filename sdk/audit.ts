import { describe } from "#sdk/errors.ts";
import type { GatewayClient } from "#sdk/gateway-client.ts";
import type { Log } from "#sdk/log.ts";
import type { AuditEvent } from "#sdk/messages.ts";

export type Audit = (
  message: string,
  about: { readonly owner: string; readonly repository: string },
  log: Log,
) => void;

/** Tell audit-event through the queue, off the caller's path; a refusal is logged and nothing more. */
export function createAudit(source: string, gateway: Pick<GatewayClient, "queue">): Audit {
  return (message, { owner, repository }, log) => {
    const event: AuditEvent = {
      v: 1,
      Source: source,
      Message: message,
      Owner: owner,
      Repo: repository,
    };
    gateway.queue("audit-event", JSON.stringify(event)).catch((error: unknown) => {
      log.warn("audit-not-queued", { message, owner, repository, error: describe(error) });
    });
  };
}
