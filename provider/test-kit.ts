import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";

/**
 * Read until the value is as expected, at most `deadlineMs`; the last value either way, to be asserted on.
 * `expected` is a value or a predicate. A read that throws is read again.
 */
export async function eventually<T>(
  read: () => T | Promise<T>,
  expected: unknown,
  deadlineMs = 30_000,
): Promise<T> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    try {
      const value = await read();
      if (isExpected(value, expected) || performance.now() >= deadline) return value;
    } catch (error) {
      if (performance.now() >= deadline) throw error;
    }
    await sleep(20);
  }
}

function isExpected(value: unknown, expected: unknown): boolean {
  return typeof expected === "function"
    ? expected(value) === true
    : isDeepStrictEqual(value, expected);
}
