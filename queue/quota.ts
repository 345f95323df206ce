import { HttpError } from "#sdk/errors.ts";

export type QuotaLimits = { readonly calls: number; readonly bytes: number };

/** How much each owner has waiting. */
export type Quota = {
  /** Count a call; throws 429 when the owner has too much waiting already. */
  reserve(ownerId: string, bytes: number): void;
  /** Count a call whatever the limits say: it was accepted before. */
  restore(ownerId: string, bytes: number): void;
  release(ownerId: string, bytes: number): void;
  /** Forget everything, before counting anew. */
  reset(): void;
};

/** Keep one owner's backlog from taking the store's memory from all. */
export function createQuota(limits: QuotaLimits): Quota {
  const pending = new Map<string, { calls: number; bytes: number }>();

  return {
    reserve(ownerId, bytes) {
      const { calls, bytes: held } = pending.get(ownerId) ?? { calls: 0, bytes: 0 };
      if (calls + 1 > limits.calls)
        throw full(`${calls} calls are waiting for ${ownerId}, at most ${limits.calls} may`);
      if (held + bytes > limits.bytes)
        throw full(`${held} bytes are waiting for ${ownerId}, at most ${limits.bytes} may`);
      change(ownerId, 1, bytes);
    },
    restore: (ownerId, bytes) => change(ownerId, 1, bytes),
    release: (ownerId, bytes) => change(ownerId, -1, -bytes),
    reset: () => pending.clear(),
  };

  function change(ownerId: string, calls: number, bytes: number): void {
    const before = pending.get(ownerId) ?? { calls: 0, bytes: 0 };
    const after = { calls: before.calls + calls, bytes: Math.max(0, before.bytes + bytes) };
    if (after.calls <= 0) pending.delete(ownerId);
    else pending.set(ownerId, after);
  }
}

function full(why: string): HttpError {
  return new HttpError(429, "queue-full", `${why}; call again when some have run.`);
}
