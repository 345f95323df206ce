import { chmod, copyFile, mkdir, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "#sdk/errors.ts";

/** Scripts that run inside a replica's own world. */
export const SANDBOX_FOLDER = new URL("sandbox", import.meta.url).pathname;

const HOST_FOLDERS = ["usr", "bin", "sbin", "lib", "lib32", "lib64", "etc", "opt", "nix"];
const DEVICES = ["null", "zero", "full", "random", "urandom"];

/**
 * Make the folder that replicas get as `/`: folders, links and empty files for everything that is mounted over
 * them by `sandbox/enter.sh`. Returns its path.
 */
export async function createNewRoot(root: string): Promise<string> {
  await rm(root, { recursive: true, force: true });
  const folders = ["proc", "dev", "tmp", "run/function", "var/openfaas/secrets", "home/app"];
  const platform = ["platform/bin", "platform/watchdog", "platform/sdk", "platform/node_modules"];
  for (const folder of [...folders, ...platform])
    await mkdir(join(root, folder), { recursive: true, mode: 0o755 });
  for (const name of HOST_FOLDERS) await copyHostFolder(root, name);
  if (await isThere("/run/systemd/resolve"))
    await mkdir(join(root, "run/systemd/resolve"), { recursive: true });
  for (const device of DEVICES) await writeFile(join(root, "dev", device), "");
  await symlink("/proc/self/fd", join(root, "dev/fd"));
  await symlink("/tmp", join(root, "dev/shm"));
  for (const [index, name] of ["stdin", "stdout", "stderr"].entries())
    await symlink(`/proc/self/fd/${index}`, join(root, "dev", name));
  for (const file of ["bin/node", "package.json"])
    await writeFile(join(root, "platform", file), "");
  await copyFile(join(SANDBOX_FOLDER, "start.sh"), join(root, "platform/start.sh"));
  await chmod(join(root, "platform/start.sh"), 0o644);
  await chmod(root, 0o755);
  return root;
}

async function copyHostFolder(root: string, name: string): Promise<void> {
  const target = await readlink(`/${name}`).catch((error: unknown) => {
    if (errorCode(error) === "EINVAL") return "";
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  });
  if (target === "") await mkdir(join(root, name));
  else if (target !== undefined) await symlink(target, join(root, name));
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
