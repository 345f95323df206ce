import { writeFileSync } from "node:fs";
import { constants, getPriority, setPriority } from "node:os";
import { errorCode } from "#sdk/errors.ts";

/** Steps of `nice` below the platform itself: a tenth of its share when both want a core. */
const STEPS = 10;
const LOWEST = 19;

/**
 * Let a program that nobody's request waits for give way to those that serve; what it starts inherits that.
 * The program has a session of its own: where Linux shares cores among sessions (`man 7 sched`,
 * sched_autogroup_enabled) the steps within one say nothing to the others.
 */
export function yieldCpu(pid: number | undefined): void {
  // It could not be started, which its own error tells.
  if (pid === undefined) return;
  yieldProcess(pid);
  yieldSession(pid);
}

function yieldProcess(pid: number): void {
  try {
    setPriority(pid, Math.min(getPriority() + STEPS, LOWEST));
  } catch (error) {
    // The program has ended already.
    if (!(error instanceof Error && "errno" in error && error.errno === -constants.errno.ESRCH))
      throw error;
  }
}

/** Ended already, another system, a container's rules, or (EAGAIN) not root and the second within a tenth of a second. */
const SHARED_OTHERWISE = ["ENOENT", "ESRCH", "EACCES", "EPERM", "EROFS", "EINVAL", "EAGAIN"];

function yieldSession(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/autogroup`, String(STEPS), { flag: "r+" });
  } catch (error) {
    if (!SHARED_OTHERWISE.includes(errorCode(error) ?? "")) throw error;
  }
}
