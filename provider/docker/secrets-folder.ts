import { chmod, mkdir, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/**
 * Make a replica's folder, closed to other users of this machine, and in it `secrets/`, which is mounted into
 * the container: readable there whatever user its image runs as.
 */
export async function createSecretsFolder(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const secrets = join(folder, "secrets");
  await mkdir(secrets, { recursive: true });
  // Not the mode of its making, from which an operator's umask takes.
  await chmod(secrets, 0o755);
  return secrets;
}

/** Put a secret where the replica reads it; a running replica sees the new value at once. */
export async function writeReplicaSecret(
  secretsFolder: string,
  name: string,
  value: Uint8Array,
): Promise<void> {
  // Beside, not inside: a name the function never asked for must not appear.
  const temporary = join(dirname(secretsFolder), `secret-${name}`);
  await writeFile(temporary, value, { mode: 0o400 });
  await chmod(temporary, 0o444);
  await rename(temporary, join(secretsFolder, name));
}
