/** BullMQ's largest priority; calls beyond it run in the order of their arrival. */
const LAST_TURN = 2_097_151;

/** Whose turn is when: a fair order of calls between owners, kept in the jobs' priorities. */
export type Turns = {
  /** The turn of an owner's next call: one after the owner's last, and not before the turn in force. */
  take(ownerId: string): number;
  /** A call of this turn began to run. */
  begin(turn: number): void;
  /** A call that was stored by an earlier process waits with this turn. */
  restore(ownerId: string, turn: number): void;
  /** Nothing waits: count from the beginning again. */
  reset(): void;
};

/**
 * Start-time fair queueing: each owner's calls are numbered one after the other from the turn in force, and
 * the lowest number runs first. An owner with fifty calls waiting delays another's first call by one call.
 */
export function createTurns(): Turns {
  const last = new Map<string, number>();
  let current = 1;

  return {
    take(ownerId) {
      const turn = Math.min(Math.max(current, (last.get(ownerId) ?? 0) + 1), LAST_TURN);
      last.set(ownerId, turn);
      return turn;
    },
    begin(turn) {
      if (turn <= current) return;
      current = turn;
      for (const [ownerId, theirs] of last) if (theirs < current) last.delete(ownerId);
    },
    restore(ownerId, turn) {
      last.set(ownerId, Math.max(turn, last.get(ownerId) ?? 0));
    },
    reset() {
      current = 1;
      last.clear();
    },
  };
}
