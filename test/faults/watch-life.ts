import { setTimeout as sleep } from "node:timers/promises";
import { servicesOf } from "./come-to-rest.ts";
import { readAnswer } from "./observe.ts";
import type { Stage } from "./stage.ts";

/** What is seen of a platform from outside while it lives. */
export type Watched = {
  readonly stage: Stage;
  /** Different answers of each function, in the order in which they were seen. */
  readonly history: Map<string, string[]>;
  /** Lives that ended without a kill, each with the last words. */
  readonly crashes: string[];
};

/** Characters of a platform that ended by itself. */
const LAST_WORDS = 2_000;

/** Note what callers see and which processes there are, until the platform is killed and all is over. */
export async function whileWatched(
  run: Watched,
  live: (over: AbortSignal) => Promise<readonly Promise<void>[]>,
): Promise<void> {
  const over = new AbortController();
  const watching = [watchChildren(run, over.signal), watchAnswers(run, over.signal)];
  try {
    const working = await live(over.signal);
    run.stage.remember(run.stage.victim.children());
    await endLife(run);
    over.abort();
    await Promise.all(working);
  } finally {
    // Whoever watches on keeps the process, and with it the whole suite, from ending.
    over.abort();
    await Promise.all(watching);
  }
}

/** Whatever is killed below it, a platform lives until it is killed itself. */
async function endLife({ stage: { victim }, crashes }: Watched): Promise<void> {
  const end = await victim.kill("SIGKILL");
  if (end !== "SIGKILL")
    crashes.push(`a platform ended by itself with ${end}: ${victim.said().slice(-LAST_WORDS)}`);
}

async function watchChildren({ stage }: Watched, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    stage.remember(stage.victim.children());
    await sleep(100);
  }
}

async function watchAnswers(run: Watched, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    await look(run);
    await sleep(50);
  }
}

/** A function that does not answer is no news here: the platform may be dead, or its gateway. */
export async function look({ stage, history }: Watched): Promise<void> {
  await Promise.all(
    servicesOf(stage.trees).map(async (service) => {
      const text = await readAnswer(stage.url, service).catch(() => "");
      const texts = history.get(service) ?? [];
      if (/^\w+:\S+#\d+$/.test(text) && texts.at(-1) !== text)
        history.set(service, [...texts, text]);
    }),
  );
}
