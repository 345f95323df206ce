import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { writeDurably } from "#sdk/durable-file.ts";

/**
 * Runs after the refs moved. Descriptor 3 is the forge: it gets the lines `<old> <new> <ref>` and a
 * dot, and sends what the pusher shall see until it closes. A forge that died has closed it, too.
 */
const POST_RECEIVE = `#!/bin/sh
{ true >&3; } 2>/dev/null || exit 0
{ cat; echo .; } >&3
exec cat <&3 >&2
`;

/** Write the hooks that every repository of the forge shares; they hold nothing of anybody. */
export async function writeHooks(folder: string): Promise<void> {
  const path = join(folder, "post-receive");
  await writeDurably(path, POST_RECEIVE, 0o700);
  await chmod(path, 0o700);
}
