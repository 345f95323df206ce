type Use = { tail: Promise<unknown>; readonly readers: Set<Promise<void>> };

/** What this process does with each mirror folder now; the data folder's lock says that no other does. */
const uses = new Map<string, Use>();

/** Run `work` after every earlier work on this folder has ended, well or badly. */
export async function inTurn<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const use = useOf(folder);
  const turn = use.tail.then(work);
  const tail = turn.then(
    () => {},
    // The caller of `work` hears of the failure; the next in line does not.
    () => {},
  );
  use.tail = tail;
  try {
    return await turn;
  } finally {
    if (use.tail === tail && use.readers.size === 0) uses.delete(folder);
  }
}

/** Say that the folder's objects are being read; call the returned function once they are not. */
export function holdRead(folder: string): () => void {
  const { readers } = useOf(folder);
  const { promise, resolve } = Promise.withResolvers<void>();
  readers.add(promise);
  return () => {
    readers.delete(promise);
    resolve();
  };
}

/** Resolves when all who read the folder now have finished. */
export async function readersGone(folder: string): Promise<void> {
  await Promise.all(useOf(folder).readers);
}

function useOf(folder: string): Use {
  const known = uses.get(folder);
  if (known !== undefined) return known;
  const use: Use = { tail: Promise.resolve(), readers: new Set() };
  uses.set(folder, use);
  return use;
}
