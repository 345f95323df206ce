import { setTimeout as sleep } from "node:timers/promises";

/** Wait until `look` answers something other than `undefined` or `false`, and give it back; throws after `timeoutMs`. */
export async function until<T>(
  look: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs = 60_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (Date.now() > deadline) throw new Error(`Nothing came within ${timeoutMs} ms: ${look}`);
    await sleep(5);
  }
}
