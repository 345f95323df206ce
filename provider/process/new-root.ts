import { chmod, copyFile, mkdir, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "#sdk/errors.ts";

/** Scripts that run inside a replica's own world. */
export const SANDBOX_FOLDER = new URL("sandbox", import.meta.url).pathname;

const HOST_FOLDERS = [
  ...["usr", "bin", "sbin", "lib", "lib32", "lib64", "etc", "opt", "nix"],
  // Where systemd keeps what /etc/resolv.conf links to.
  "run/systemd/resolve",
];
/** Read-only, and nothing in it gives rights or is a device. */
const LOCKED = "bind,ro,nosuid,nodev";
const DEVICES = ["null", "zero", "full", "random", "urandom"];

/** What replicas get as `/`, before anything is mounted in it. */
export type NewRoot = {
  readonly path: string;
  /** Folders of this machine that are seen in it, such as `/usr`; links among them are links there as well. */
  readonly hostFolders: readonly string[];
};

/** What one replica gets beside that, as paths of this machine. */
type ReplicaMounts = {
  /** With `socket/` and `secrets/` in it. */
  readonly folder: string;
  readonly artifactRoot: string;
  readonly node: string;
  /** Given where the platform's watchdog runs the function. */
  readonly project: string | undefined;
  /** As `mount` takes a size. */
  readonly tmpLimit: string;
};

/**
 * Make the folder that replicas get as `/`: folders, links and empty files for everything that is mounted over
 * them by `sandbox/enter.sh`.
 */
export async function createNewRoot(root: string): Promise<NewRoot> {
  await rm(root, { recursive: true, force: true });
  const folders = ["proc", "dev", "tmp", "run/function", "var/openfaas/secrets", "home/app"];
  const platform = ["platform/bin", "platform/watchdog", "platform/sdk", "platform/node_modules"];
  for (const folder of [...folders, ...platform])
    await mkdir(join(root, folder), { recursive: true, mode: 0o755 });
  const hostFolders: string[] = [];
  for (const name of HOST_FOLDERS)
    if (await copyHostFolder(root, name)) hostFolders.push(`/${name}`);
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
  return { path: root, hostFolders };
}

/** Answers whether there is a folder to mount; a link is made anew. */
async function copyHostFolder(root: string, name: string): Promise<boolean> {
  const target = await readlink(`/${name}`).catch((error: unknown) => {
    if (errorCode(error) === "EINVAL") return "";
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  });
  if (target === "") await mkdir(join(root, name), { recursive: true });
  else if (target !== undefined) await symlink(target, join(root, name));
  return target === "";
}

/** All that is mounted for a replica, in order, as lines of fstab(5): one `mount` takes a quarter of many. */
export function formatMounts({ path, hostFolders }: NewRoot, replica: ReplicaMounts): string {
  const at = (name: string) => join(path, name);
  const shown = (from: string, name: string) => [from, at(name), "none", "bind"];
  const locked = (from: string, name: string) => [from, at(name), "none", LOCKED];
  const parts = ["watchdog", "sdk", "node_modules", "package.json"];
  const { project } = replica;
  return [
    [path, path, "none", LOCKED],
    ...hostFolders.map((folder) => [folder, at(folder), "none", "rbind"]),
    ...DEVICES.map((name) => shown(`/dev/${name}`, `dev/${name}`)),
    ["proc", at("proc"), "proc", "nosuid,nodev,noexec"],
    ["tmpfs", at("tmp"), "tmpfs", `nosuid,nodev,mode=1777,size=${replica.tmpLimit}`],
    shown(join(replica.folder, "socket"), "run/function"),
    locked(join(replica.folder, "secrets"), "var/openfaas/secrets"),
    locked(replica.artifactRoot, "home/app"),
    shown(replica.node, "platform/bin/node"),
    ...(project === undefined
      ? []
      : parts.map((part) => locked(join(project, part), `platform/${part}`))),
  ]
    .map((fields) => fields.map(escapeField).join(" "))
    .join("\n");
}

/** Blanks end a field there, and a backslash begins an octal number. */
function escapeField(text: string): string {
  return text.replace(
    /[ \t\n\r\\#]/g,
    (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, "0")}`,
  );
}
