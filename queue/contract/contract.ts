import type { ExecutionContext, TestFn } from "ava";
import type { JobQueue } from "../backends/backend.ts";
import type { setUp } from "../test-queue.ts";

/** What the parts of the suite work with. */
export type Contract = {
  readonly test: TestFn;
  readonly setUp: typeof setUp;
  /** The users' queue, around the room's back. */
  readonly openJobs: (t: ExecutionContext) => Promise<JobQueue>;
  /** kill -9 the server; it is started again by its keeper. */
  readonly kill: () => Promise<void>;
};

export const CART = "/async-function/alice-cart";
