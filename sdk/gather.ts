import { setTimeout as wait } from "node:timers/promises";

/** How long what follows is gathered after something was sent, in milliseconds. */
const GATHER_MS = 100;

type Group<T> = { readonly items: T[]; readonly sent: Promise<readonly T[]> };

/**
 * Sends what comes: at once, and what follows within 100 ms together, so that a flood is not doubled by
 * telling of it. The returned function gathers by key and resolves to all that was sent with its item, in
 * order. `send` has settled before it is called for the same key again, and reports its errors itself.
 */
export function createGather<T>(
  send: (items: readonly T[]) => Promise<void>,
): (key: string, item: T) => Promise<readonly T[]> {
  const open = new Map<string, Group<T>>();
  /** When a key may be sent for again; gone once that is so. */
  const pauses = new Map<string, Promise<void>>();

  return function gather(key, item) {
    const group = open.get(key) ?? openGroup(key);
    group.items.push(item);
    return group.sent;
  };

  function openGroup(key: string): Group<T> {
    const group: Group<T> = { items: [], sent: sendAfter(pauses.get(key)) };
    open.set(key, group);
    const pause = group.sent.then(() => wait(GATHER_MS));
    pauses.set(key, pause);
    void pause.then(() => pauses.get(key) === pause && pauses.delete(key));
    return group;

    async function sendAfter(earlier: Promise<void> | undefined): Promise<readonly T[]> {
      await earlier;
      open.delete(key);
      await send(group.items);
      return group.items;
    }
  }
}
