import { inTurn } from "./folder-use.ts";
import { resetMirror } from "./mirror-folder.ts";

/** Give a mirror's disk back: after every fetch under way, and deleted once nobody reads it any more. */
export async function dropMirror(folder: string): Promise<void> {
  await inTurn(folder, () => resetMirror(folder));
}
