import { chown, lstat, mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** The replica's socket inside its own folder. */
export const SOCKET_PATH = join("socket", "http.sock");

/** Make a replica's folder with `socket/`, `secrets/` and `tmp/`, its user's where the platform is root. */
export async function createReplicaFolder(folder: string, userId: number): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const part of ["socket", "secrets", "tmp"]) {
    // The socket's folder stays open to its replica when it is no longer its own.
    await mkdir(join(folder, part), { recursive: true, mode: part === "socket" ? 0o755 : 0o700 });
    await giveTo(userId, join(folder, part));
  }
}

/** Put a secret where the replica reads it; a running replica sees the new value at once. */
export async function writeReplicaSecret(
  folder: string,
  userId: number,
  name: string,
  value: Uint8Array,
): Promise<void> {
  const path = join(folder, "secrets", name);
  // Beside, not inside: a name the function never asked for must not appear.
  const temporary = join(folder, `secret-${name}`);
  await writeFile(temporary, value, { mode: 0o400 });
  await giveTo(userId, temporary);
  await rename(temporary, path);
}

/**
 * Take the socket's folder away from the replica once its socket is there, so that it cannot put a link
 * to a socket of the platform in its place. False while there is no socket.
 */
export async function lockSocket(folder: string): Promise<boolean> {
  const path = join(folder, SOCKET_PATH);
  if (!(await isSocket(path))) return false;
  if (process.getuid?.() === 0) await chown(join(folder, "socket"), 0, 0);
  return isSocket(path);
}

async function isSocket(path: string): Promise<boolean> {
  return lstat(path).then(
    (entry) => entry.isSocket(),
    () => false,
  );
}

async function giveTo(userId: number, path: string): Promise<void> {
  if (process.getuid?.() === 0) await chown(path, userId, userId);
}
