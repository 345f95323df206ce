import { z } from "zod";
import { connectAdmin } from "../admin-client.ts";
import type { CommandContext } from "../context.ts";
import { formatAge } from "../terminal.ts";

const DELIVERIES = z.array(
  z.object({
    key: z.string(),
    event: z.string(),
    receivedAt: z.number(),
    decision: z.string(),
    reason: z.string(),
    status: z.number(),
    repository: z.string().optional(),
    sha: z.string().optional(),
    buildId: z.string().optional(),
  }),
);

/** Webhook deliveries, newest first, each with what was decided and why. */
export async function deliveries({ terminal, options }: CommandContext): Promise<void> {
  const admin = await connectAdmin(options.data);
  const list = await admin.get(`/deliveries?limit=${options.limit}`, DELIVERIES);
  if (options.json) return terminal.json(list);
  terminal.table(
    ["RECEIVED", "EVENT", "REPOSITORY", "COMMIT", "STATUS", "DECISION", "REASON", "DELIVERY"],
    list.map((one) => [
      formatAge(one.receivedAt),
      one.event,
      one.repository ?? "",
      one.sha?.slice(0, 7) ?? "",
      String(one.status),
      one.decision,
      one.reason,
      one.key,
    ]),
    "No webhook deliveries yet.",
  );
}
