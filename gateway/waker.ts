import { describe } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import type { FunctionEntry } from "./endpoint-table.ts";
import { ask } from "./pool.ts";
import type { Room } from "./rooms.ts";

/** Longest wait for the provider to start one replica; who calls waits `hold_timeout` at most. */
const WAKE_LIMIT_MS = 15 * 60_000;
/** Times that one is looked at before its sleep is due. */
const LOOKS = 4;

/** Wakes what sleeps while nobody calls it, and keeps it awake while somebody does. */
export type Waker = {
  /** One call to the provider for all who wait. Rejects when it cannot be started; the reason is in the log. */
  wake(entry: FunctionEntry): Promise<void>;
  /** It is called: the provider hears so now, and again for as long as it goes on. */
  use(entry: FunctionEntry): void;
  close(): void;
};

export function createWaker(provider: Room, authorization: string, log: Log): Waker {
  const asking = new Map<FunctionEntry, Promise<void>>();
  const used = new Map<FunctionEntry, NodeJS.Timeout>();

  return {
    wake,
    use,
    close() {
      for (const looks of used.values()) clearInterval(looks);
      used.clear();
    },
  };

  function wake(entry: FunctionEntry): Promise<void> {
    const known = asking.get(entry);
    if (known !== undefined) return known;
    const forget = (): void => void asking.delete(entry);
    const asked = call(entry).then(
      // The endpoints come by another way, and may be later than the answer.
      () => (entry.wanted === 0 ? void entry.waiters.add(forget) : forget()),
      (error: unknown) => {
        forget();
        throw error;
      },
    );
    asking.set(entry, asked);
    return asked;
  }

  function use(entry: FunctionEntry): void {
    if (used.has(entry) || entry.idleMs === undefined) return;
    let { started } = entry.counters;
    tell(entry);
    const looks = setInterval(() => {
      const { counters, idleMs } = entry;
      const isUsed = counters.inFlight > 0 || counters.started > started;
      started = counters.started;
      if (isUsed && idleMs !== undefined) tell(entry);
      else stop(entry);
    }, entry.idleMs / LOOKS);
    used.set(entry, looks);
  }

  function stop(entry: FunctionEntry): void {
    clearInterval(used.get(entry));
    used.delete(entry);
  }

  function tell(entry: FunctionEntry): void {
    // Who waits for it hears of a failure too, and the log has it.
    wake(entry).catch(() => {});
  }

  async function call({ name }: FunctionEntry): Promise<void> {
    try {
      const { statusCode, body } = await ask(provider.pool, {
        method: "POST",
        path: `/wake/${encodeURIComponent(name)}`,
        headers: { authorization },
        headersTimeout: WAKE_LIMIT_MS,
      });
      const text = await body.text();
      if (statusCode !== 204) throw new Error(`The provider answered ${statusCode}: ${text}`);
    } catch (error) {
      log.warn("version-not-woken", { function: name, error: describe(error) });
      throw error;
    }
  }
}
