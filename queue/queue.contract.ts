import anyTest, { type ExecutionContext, type TestFn } from "ava";
import type { Backend, JobQueue } from "./backends/backend.ts";
import { testCallbacks } from "./contract/callbacks.ts";
import { testCalls } from "./contract/calls.ts";
import type { Contract } from "./contract/contract.ts";
import { testDeadLetters } from "./contract/dead-letters.ts";
import { testEndings } from "./contract/endings.ts";
import { testTurns } from "./contract/turns.ts";
import { setUp as setUpQueue } from "./test-queue.ts";

/** A store under test. */
export type Store = {
  /** A backend whose `close` leaves the server running. */
  open(): Promise<Backend>;
  /** kill -9 the server; it is started again by its keeper. */
  kill(): Promise<void>;
  /** Remove every job. */
  empty(): Promise<void>;
  close(): Promise<void>;
};

/** Everything a backend promises to the rest of the room, told through `openQueue`. */
export function testQueue(startStore: () => Promise<Store>): void {
  const test = anyTest as TestFn;
  let store: Store;
  const contract: Contract = {
    test,
    setUp: (t, options = {}) => setUpQueue(t, { openBackend: () => store.open(), ...options }),
    openJobs,
    kill: () => store.kill(),
  };
  test.before(async () => {
    store = await startStore();
  });
  test.afterEach.always(() => store.empty());
  test.after.always(() => store?.close());

  for (const testPart of [testCalls, testDeadLetters, testTurns, testCallbacks, testEndings])
    testPart(contract);

  async function openJobs(t: ExecutionContext): Promise<JobQueue> {
    const backend = await store.open();
    const jobs = backend.openQueue("invocations");
    t.teardown(async () => {
      await jobs.close();
      await backend.close();
    });
    return jobs;
  }
}
