import type { Client } from "@connectrpc/connect";
import type { Control, StatusResponse } from "./generated/control_pb.ts";

export type StatusFollower = {
  /** Resolves when the last update was given on; waits `patienceMs` after each for the next. */
  finish(patienceMs: number): Promise<void>;
};

/** Give every update of the build `ref` on while it happens. The daemon waits up to 3 s for the build to begin. */
export function followStatus(
  control: Client<typeof Control>,
  ref: string,
  onUpdate: (update: StatusResponse) => void,
): StatusFollower {
  const ending = new AbortController();
  let seen = false;
  let patience: NodeJS.Timeout | undefined;
  const following = follow();
  // Reported by finish.
  following.catch(() => {});

  return {
    async finish(patienceMs) {
      // A build that was refused never begins, and nothing will come.
      patience = setTimeout(() => ending.abort(), seen ? patienceMs : 0);
      try {
        await following;
      } finally {
        clearTimeout(patience);
      }
    },
  };

  async function follow(): Promise<void> {
    try {
      for await (const update of control.status({ ref }, { signal: ending.signal })) {
        seen = true;
        patience?.refresh();
        onUpdate(update);
      }
    } catch (error) {
      if (!ending.signal.aborted) throw error;
    }
  }
}
