import { HttpError } from "#sdk/errors.ts";

export type QuotaLimits = { readonly calls: number; readonly bytes: number };

/** How much each owner has waiting. */
export type Quota = {
  /** Count one more; throws 429 when the owner has too much waiting already. */
  reserve(ownerId: string, bytes: number): void;
  /** Throws 429 where `reserve` would. */
  require(ownerId: string, bytes: number): void;
  hasRoom(ownerId: string, bytes: number): boolean;
  /** Count one more whatever the limits say: it was accepted before. */
  restore(ownerId: string, bytes: number): void;
  release(ownerId: string, bytes: number): void;
  /** Forget everything, before counting anew. */
  reset(): void;
};

/** Keep one owner's backlog from taking the store's memory from all. `what` is told: `calls`. */
export function createQuota(limits: QuotaLimits, what: string): Quota {
  const pending = new Map<string, { calls: number; bytes: number }>();

  return {
    reserve(ownerId, bytes) {
      require(ownerId, bytes);
      change(ownerId, 1, bytes);
    },
    require,
    hasRoom: (ownerId, bytes) => refuse(ownerId, bytes) === undefined,
    restore: (ownerId, bytes) => change(ownerId, 1, bytes),
    release: (ownerId, bytes) => change(ownerId, -1, -bytes),
    reset: () => pending.clear(),
  };

  function require(ownerId: string, bytes: number): void {
    const why = refuse(ownerId, bytes);
    if (why !== undefined) throw new HttpError(429, "queue-full", why);
  }

  function refuse(ownerId: string, bytes: number): string | undefined {
    const { calls, bytes: held } = pending.get(ownerId) ?? { calls: 0, bytes: 0 };
    const next = "call again when some have run";
    if (calls + 1 > limits.calls)
      return `${calls} ${what} of ${ownerId} are waiting, and at most ${limits.calls} may (async_owner_calls); ${next}.`;
    if (held + bytes > limits.bytes)
      return `${held} bytes of ${what} of ${ownerId} are waiting; with ${bytes} more it would be over the ${limits.bytes} that may (async_owner_bytes); ${next}.`;
    return undefined;
  }

  function change(ownerId: string, calls: number, bytes: number): void {
    const before = pending.get(ownerId) ?? { calls: 0, bytes: 0 };
    const after = { calls: before.calls + calls, bytes: Math.max(0, before.bytes + bytes) };
    if (after.calls <= 0) pending.delete(ownerId);
    else pending.set(ownerId, after);
  }
}
