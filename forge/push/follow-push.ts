import { z } from "zod";
import { describe } from "#sdk/errors.ts";
import type { BuildEvent } from "#sdk/messages.ts";
import { NO_SHA } from "../git/read-refs.ts";
import type { ForgeSettings } from "../settings.ts";
import type { Deliveries, Delivery } from "../store/deliveries.ts";
import type { Sender } from "./create-sender.ts";
import {
  formatHeartbeat,
  formatProgress,
  nothingTold,
  type ProgressState,
} from "./format-progress.ts";
import { plainText } from "./plain-text.ts";

export type FollowTools = {
  readonly deliveries: Deliveries;
  readonly sender: Sender;
  /** What happens to the build of a delivery, from its beginning; ends after `ended`. */
  readonly followBuild: (deliveryKey: string, signal: AbortSignal) => AsyncIterable<BuildEvent>;
  readonly settings: Pick<ForgeSettings, "pushWaitMs" | "heartbeatMs">;
};

/** Branches of one push whose builds are told one after the other. */
const FOLLOWED = 10;

/** Tell a pusher what becomes of the refs just pushed, until all is final, `signal` aborts or time is up. */
export async function followPush(
  tools: FollowTools,
  made: readonly Delivery[],
  write: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const limit = AbortSignal.timeout(tools.settings.pushWaitMs);
  const stop = AbortSignal.any([signal, limit]);
  const branches = made.filter(
    ({ ref, after }) => ref.startsWith("refs/heads/") && after !== NO_SHA,
  );
  for (const delivery of branches.slice(0, FOLLOWED)) {
    if (branches.length > 1) write(`${plainText(delivery.ref.slice("refs/heads/".length))}:`);
    await followDelivery(tools, delivery, write, stop);
    if (stop.aborted) break;
  }
  if (branches.length > FOLLOWED)
    write(
      `${branches.length - FOLLOWED} more branches were pushed; their builds are not shown here.`,
    );
  if (limit.aborted && !signal.aborted)
    write(
      "This push has waited long enough; the build goes on and the commit's status will tell how it ends.",
    );
}

async function followDelivery(
  tools: FollowTools,
  delivery: Delivery,
  write: (line: string) => void,
  stop: AbortSignal,
): Promise<void> {
  const voice = createVoice(tools.settings.heartbeatMs, write);
  try {
    const settled = await waitUntilSettled(tools, delivery, voice, stop);
    if (settled === undefined) return;
    if (settled.state === "refused") voice.say([`refused: ${readReason(settled)}`]);
    else if (settled.lastStatus === 200) voice.say([`not built: ${readReason(settled)}`]);
    else await tellBuild(tools, delivery, voice, stop);
  } finally {
    voice.end();
  }
}

/** Resolves once the platform took or refused the webhook; says so when it does not answer. */
async function waitUntilSettled(
  { deliveries, sender }: FollowTools,
  { id }: Delivery,
  voice: Voice,
  stop: AbortSignal,
): Promise<Delivery | undefined> {
  let complained = false;
  while (!stop.aborted) {
    const attempted = Promise.withResolvers<void>();
    const unwatch = sender.watch(id, attempted.resolve);
    stop.addEventListener("abort", () => attempted.resolve(), { once: true });
    try {
      const now = deliveries.find(id);
      if (now === undefined || now.state !== "pending") return now;
      if (now.attempts > 0 && !complained) {
        voice.say([
          `The platform did not take the push yet (${describeAttempt(now)}); trying again.`,
        ]);
        complained = true;
      }
      await attempted.promise;
    } finally {
      unwatch();
    }
  }
  return undefined;
}

async function tellBuild(
  { followBuild }: FollowTools,
  { guid }: Delivery,
  voice: Voice,
  stop: AbortSignal,
): Promise<void> {
  try {
    for await (const event of followBuild(`forge:${guid}`, stop)) {
      voice.hear(event);
      if (event.type === "ended" || stop.aborted) return;
    }
    if (!stop.aborted) voice.say(["The build goes on; the commit's status will tell how it ends."]);
  } catch (error) {
    if (stop.aborted) return;
    voice.say([`Progress is not available (${plainText(describe(error))}); the build goes on.`]);
  }
}

type Voice = ReturnType<typeof createVoice>;

/** Says lines, and after a silence of `heartbeatMs` a sign of life. */
function createVoice(heartbeatMs: number, write: (line: string) => void) {
  const started = performance.now();
  let state: ProgressState = nothingTold;
  const heart = setInterval(() => {
    write(formatHeartbeat(state, performance.now() - started));
  }, heartbeatMs);
  return { say, hear, end: () => clearInterval(heart) };

  function say(lines: readonly string[]): void {
    if (lines.length > 0) heart.refresh();
    for (const line of lines) write(line);
  }

  function hear(event: BuildEvent): void {
    const told = formatProgress(state, event);
    state = told.state;
    say(told.lines);
  }
}

const Answer = z.object({ reason: z.string().optional(), message: z.string().optional() });

/** The reason in the receiver's JSON answer, or its text. */
function readReason(delivery: Delivery): string {
  const text = delivery.lastAnswer ?? "";
  const json = z.string().transform((value, context) => {
    try {
      return Answer.parse(JSON.parse(value));
    } catch {
      // Not our own receiver's answer; its text is what there is to show.
      context.addIssue("not JSON");
      return z.NEVER;
    }
  });
  const parsed = json.safeParse(text);
  const reason = parsed.success ? (parsed.data.reason ?? parsed.data.message) : text;
  return plainText(reason || `the platform answered ${delivery.lastStatus}`);
}

function describeAttempt({ lastStatus, lastAnswer }: Delivery): string {
  return lastStatus === 0 ? plainText(lastAnswer ?? "no answer") : `it answered ${lastStatus}`;
}
