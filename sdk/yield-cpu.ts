import { constants, getPriority, setPriority } from "node:os";

/** Steps of `nice` below the platform itself: a tenth of its share when both want a core. */
const STEPS = 10;
const LOWEST = 19;

/** Let a program that nobody's request waits for give way to those that serve; what it starts inherits that. */
export function yieldCpu(pid: number | undefined): void {
  // It could not be started, which its own error tells.
  if (pid === undefined) return;
  try {
    setPriority(pid, Math.min(getPriority() + STEPS, LOWEST));
  } catch (error) {
    // The program has ended already.
    if (!(error instanceof Error && "errno" in error && error.errno === -constants.errno.ESRCH))
      throw error;
  }
}
