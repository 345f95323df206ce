import { open } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "#sdk/errors.ts";
import type { RefChange } from "../store/deliveries.ts";

/** As much of a ref's log as is read, from its end: about a thousand moves, in bytes. */
const TAIL_BYTES = 256 * 1024;
/** Moves that are told one by one; what came before them is told as one. */
const MOST_MOVES = 100;

type Entry = Pick<RefChange, "before" | "after">;

/**
 * The moves that a change of a ref is made of, oldest first: each push of it, though several came before anybody
 * looked. Where the log does not reach back so far, the rest is one move; a tag has no log. Source:
 * gitrepository-layout(5), logs.
 */
export async function readMoves(folder: string, change: RefChange): Promise<RefChange[]> {
  return joinMoves(parseLog(await readTail(join(folder, "logs", change.ref))), change);
}

/** Backwards from where the ref is: git writes the log first, so a kill leaves entries of moves that never came. */
function joinMoves(entries: readonly Entry[], { ref, before, after }: RefChange): RefChange[] {
  const moves: RefChange[] = [];
  let at = after;
  for (const entry of entries.toReversed()) {
    if (at === before || moves.length === MOST_MOVES) break;
    if (entry.after !== at) continue;
    moves.unshift({ ref, before: entry.before, after: at });
    at = entry.before;
  }
  return at === before ? moves : [{ ref, before, after: at }, ...moves];
}

/** `<old> <new> <name> <email> <time> <zone>\t<message>` */
function parseLog(text: string): Entry[] {
  return [...text.matchAll(/^([0-9a-f]{40}) ([0-9a-f]{40}) /gm)].map(
    ([, before = "", after = ""]) => ({ before, after }),
  );
}

/** A first line that is cut is none that is parsed, unless it is whole. */
async function readTail(path: string): Promise<string> {
  const file = await open(path).catch((error: unknown) => {
    // A ref that was made before logs were kept, or is gone.
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  });
  if (file === undefined) return "";
  try {
    const { size } = await file.stat();
    const length = Math.min(size, TAIL_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.subarray(0, bytesRead).toString("latin1");
  } finally {
    await file.close();
  }
}
