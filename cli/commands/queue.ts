import { z } from "zod";
import { connectAdmin } from "../admin-client.ts";
import type { CommandContext } from "../context.ts";
import { formatAge, type Terminal } from "../terminal.ts";

const CALL = z.looseObject({
  id: z.string(),
  function: z.string(),
  owner: z.string().optional(),
  attempts: z.number(),
  lastError: z.string().optional(),
  queuedAt: z.number(),
});
const QUEUES = z.array(
  z.object({
    queue: z.string(),
    waiting: z.array(CALL),
    active: z.array(CALL),
    delayed: z.array(CALL),
    dead: z.array(CALL),
  }),
);

/** Waiting, running and delayed calls and dead letters; `--retry <id>` gives a dead letter another try. */
export async function queue({ terminal, options }: CommandContext): Promise<void> {
  const admin = await connectAdmin(options.data);
  if (options.retry !== undefined) {
    const { retried } = await admin.post(
      "/queue/retry",
      { id: options.retry },
      z.object({ retried: z.string() }),
    );
    return terminal.line(`Dead letter ${retried} waits for another try.`);
  }
  const queues = await admin.get("/queue", QUEUES);
  if (options.json) return terminal.json(queues);
  for (const one of queues) printQueue(terminal, one);
}

function printQueue(
  terminal: Terminal,
  { queue: name, ...states }: z.infer<typeof QUEUES>[number],
): void {
  terminal.line(terminal.bold(name));
  terminal.table(
    ["STATE", "CALL", "FUNCTION", "OWNER", "ATTEMPTS", "QUEUED", "LAST ERROR"],
    Object.entries(states).flatMap(([state, calls]) =>
      calls.map((call) => [
        state,
        call.id,
        call.function,
        call.owner ?? "",
        String(call.attempts),
        formatAge(call.queuedAt),
        call.lastError ?? "",
      ]),
    ),
    "Nothing waits, runs or has failed.",
  );
  terminal.line();
}
