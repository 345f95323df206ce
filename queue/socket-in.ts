import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The kernel's `sun_path` holds 108 bytes with its end on Linux, 104 on others. */
const SOCKET_PATH_LIMIT = 100;

export type SocketPlace = {
  readonly path: string;
  /** Remove what was made for it. */
  remove(): Promise<void>;
};

/** A path for a Unix socket in a folder, or in a short private one when that folder's path is too long. */
export async function socketIn(folder: string, name: string): Promise<SocketPlace> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, name);
  if (Buffer.byteLength(path) <= SOCKET_PATH_LIMIT)
    return { path, remove: () => rm(path, { force: true }) };
  const short = await mkdtemp(join(tmpdir(), "ofc-"));
  await chmod(short, 0o700);
  return { path: join(short, name), remove: () => rm(short, { recursive: true, force: true }) };
}
