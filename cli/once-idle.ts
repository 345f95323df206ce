/** The share of its time in which a process works, at most, to count as idle. */
const IDLE_SHARE = 0.1;

/**
 * Act once the process has been idle for `everyMs`, however long that takes: for what keeps everybody
 * waiting while it is done. Returns what calls it off.
 */
export function onceIdle(everyMs: number, act: () => void): () => void {
  let before = performance.eventLoopUtilization();
  const looking = setInterval(() => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    if (utilization > IDLE_SHARE) return;
    clearInterval(looking);
    act();
  }, everyMs);
  return () => clearInterval(looking);
}
