import { createReadStream, createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import type { ContextHead, Repacked } from "./repack-context.ts";

/** Contexts of the platform begin with what is needed; so much is held for those that do not. */
const HELD_BYTES = 1024 * 1024;

/**
 * Read a tar until its head is known, and give back the head and the whole tar. What comes before the head is
 * held, and where that is more than a little the tar goes to the file `spool` first.
 */
export async function takeHead(
  { tar, head }: Repacked,
  spool: string,
): Promise<ContextHead & { readonly context: AsyncIterable<Uint8Array> }> {
  let known = false;
  head.then(
    () => {
      known = true;
    },
    () => {},
  );
  const held: Uint8Array[] = [];
  let bytes = 0;
  const source = tar[Symbol.asyncIterator]();
  let ended = false;
  while (!known && !ended && bytes < HELD_BYTES) {
    const next = await source.next();
    ended = next.done === true;
    if (next.done) continue;
    held.push(next.value);
    bytes += next.value.length;
  }
  if (known || ended) return { ...(await head), context: join(held, source) };
  await pipeline(join(held, source), createWriteStream(spool, { flags: "wx", mode: 0o600 }));
  return { ...(await head), context: createReadStream(spool) };
}

async function* join(
  held: Uint8Array[],
  source: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    yield* held.splice(0);
    for (let next = await source.next(); !next.done; next = await source.next()) yield next.value;
  } finally {
    await source.return?.();
  }
}
