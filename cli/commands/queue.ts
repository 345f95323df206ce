import { z } from "zod";
import { connectAdmin } from "../admin-client.ts";
import type { CommandContext } from "../context.ts";
import { formatAge, type Terminal } from "../terminal.ts";

const CALL = z.object({
  callId: z.string(),
  function: z.string(),
  ownerId: z.string(),
  attempts: z.number(),
  lastError: z.string(),
  ageMs: z.number(),
});
/** How each state is told, in the order in which a call goes through them. */
const STATES = {
  waiting: "waiting",
  active: "running",
  delayed: "to be tried again",
  dead: "given up",
} as const;
type State = keyof typeof STATES;
const STATE_NAMES: readonly State[] = ["waiting", "active", "delayed", "dead"];
const eachState = <T extends z.ZodType>(value: T) =>
  ({ waiting: value, active: value, delayed: value, dead: value }) as const;
const QUEUES = z.array(
  z.object({
    queue: z.string(),
    counts: z.object(eachState(z.number())),
    ...eachState(z.array(CALL)),
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
    if (options.json) return terminal.json({ retried });
    return terminal.line(`Call ${retried} waits for another try; ./ofc queue shows how it goes.`);
  }
  const queues = await admin.get("/queue", QUEUES);
  if (options.json) return terminal.json(queues);
  for (const one of queues) printQueue(terminal, one);
}

function printQueue(terminal: Terminal, report: z.infer<typeof QUEUES>[number]): void {
  const counts = STATE_NAMES.map((state) => `${report.counts[state]} ${STATES[state]}`);
  terminal.line(`${terminal.bold(report.queue)}: ${counts.join(", ")}`);
  const rows = STATE_NAMES.flatMap((state) =>
    report[state].map((call) => [
      STATES[state],
      call.callId,
      call.function,
      call.ownerId,
      String(call.attempts),
      formatAge(Date.now() - call.ageMs),
      call.lastError,
    ]),
  );
  if (rows.length > 0) {
    const header = ["STATE", "CALL", "FUNCTION", "OWNER", "ATTEMPTS", "QUEUED", "LAST ERROR"];
    terminal.table(header, rows, "");
  }
  terminal.line();
}
