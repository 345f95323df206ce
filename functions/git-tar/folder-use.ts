type Use = { tail: Promise<unknown>; turns: number; readonly readers: Set<Promise<void>> };

/** What this process does with each mirror folder now; the data folder's lock says that no other does. */
const uses = new Map<string, Use>();

/** Run `work` after every earlier work on this folder has ended, well or badly. */
export async function inTurn<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const use = useOf(folder);
  use.turns++;
  const turn = use.tail.then(work);
  // The caller hears of a failure; the next in line does not.
  use.tail = turn.catch(() => {});
  try {
    return await turn;
  } finally {
    use.turns--;
    forgetIdle(folder, use);
  }
}

/** Say that the folder's objects are being read; call the returned function once they are not. */
export function holdRead(folder: string): () => void {
  const use = useOf(folder);
  const { promise, resolve } = Promise.withResolvers<void>();
  use.readers.add(promise);
  return () => {
    use.readers.delete(promise);
    resolve();
    forgetIdle(folder, use);
  };
}

/** Resolves when all who read the folder now have finished. */
export async function readersGone(folder: string): Promise<void> {
  await Promise.all(uses.get(folder)?.readers ?? []);
}

function useOf(folder: string): Use {
  const known = uses.get(folder);
  if (known !== undefined) return known;
  const use: Use = { tail: Promise.resolve(), turns: 0, readers: new Set() };
  uses.set(folder, use);
  return use;
}

function forgetIdle(folder: string, use: Use): void {
  if (use.turns === 0 && use.readers.size === 0) uses.delete(folder);
}
