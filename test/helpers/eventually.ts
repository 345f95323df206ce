import { setTimeout as sleep } from "node:timers/promises";
import type { ExecutionContext } from "ava";

/** Poll until it is true; fails the test with the condition's source after `withinMs`. */
export async function eventually(
  t: ExecutionContext,
  isTrue: () => Promise<boolean>,
  withinMs = 20_000,
): Promise<void> {
  const deadline = Date.now() + withinMs;
  let last: unknown;
  while (Date.now() < deadline) {
    try {
      if (await isTrue()) return;
    } catch (error) {
      last = error;
    }
    await sleep(50);
  }
  t.fail(
    `not true within ${withinMs} ms: ${isTrue}${last === undefined ? "" : `\nlast: ${String(last)}`}`,
  );
}
