import { execFile } from "node:child_process";
import { access } from "node:fs/promises";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import type { MountConfig, MountSettings } from "dockerode";
import { pack } from "tar-stream";
import { describe } from "#sdk/errors.ts";
import type { RunIptables } from "./apply-firewall.ts";
import type { DockerApi } from "./connect-docker.ts";
import { awaitStop } from "./container.ts";
import { readOutput } from "./read-output.ts";

/** As root itself; as a member of the group docker in a container with the right to change rules. */
export function chooseIptables(docker: DockerApi, folder: string): RunIptables {
  return process.getuid?.() === 0
    ? runHere
    : (program, args) => runInside(docker, folder, program, args);
}

const execute = promisify(execFile);
const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const LONGEST_MS = 30_000;

const runHere: RunIptables = async (program, args) => {
  const options = { timeout: LONGEST_MS, env: { PATH: SYSTEM_PATH } };
  const { stdout } = await execute(program, args, options).catch((cause: unknown) => {
    throw new Error(`${program} failed: ${describe(cause)}`, { cause });
  });
  return stdout;
};

/** Holds nothing: the programs are this machine's, which dockerd itself uses for its rules. */
const EMPTY_IMAGE = "ofc-empty:1";
const SYSTEM_FOLDERS = ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/alternatives"];

/** What dockerd does for whoever may use its socket; no other right than to change the network's rules. */
export async function runInside(
  docker: DockerApi,
  folder: string,
  program: string,
  args: readonly string[],
): Promise<string> {
  const { calls } = docker;
  await makeEmptyImage(calls);
  const container = await calls.createContainer({
    Image: EMPTY_IMAGE,
    Cmd: [program, ...args],
    Env: [`PATH=${SYSTEM_PATH}`, "XTABLES_LOCKFILE=/tmp/xtables.lock"],
    HostConfig: {
      NetworkMode: "host",
      CapDrop: ["ALL"],
      // The last to read the rules' file, which is the platform's user's.
      CapAdd: ["NET_ADMIN", "NET_RAW", "DAC_READ_SEARCH"],
      ReadonlyRootfs: true,
      Tmpfs: { "/tmp": "", "/run": "" },
      Mounts: await mountsOf([...SYSTEM_FOLDERS, folder]),
    },
  });
  try {
    await container.start();
    await awaitStop(docker, container.id);
    const { State } = await container.inspect();
    const printed = await readAll(
      await container.logs({ stdout: true, stderr: true, timestamps: true }),
    );
    if (State.ExitCode === 0) return printed.stdout;
    throw new Error(`${program} failed: ${printed.stderr.trim() || `code ${State.ExitCode}`}`);
  } finally {
    await container.remove({ force: true });
  }
}

async function mountsOf(folders: readonly string[]): Promise<MountConfig> {
  const mounts: MountSettings[] = [];
  for (const path of folders)
    if (await exists(path))
      mounts.push({ Type: "bind", Source: path, Target: path, ReadOnly: true });
  return mounts;
}

async function readAll(output: Buffer): Promise<{ stdout: string; stderr: string }> {
  const printed = { stdout: "", stderr: "" };
  for await (const { source, bytes } of readOutput(Readable.from([output])))
    printed[source] += bytes.toString();
  return printed;
}

async function makeEmptyImage(calls: DockerApi["calls"]): Promise<void> {
  const found = await calls.listImages({ filters: { reference: [EMPTY_IMAGE] } });
  if (found.length > 0) return;
  const tar = pack();
  tar.entry({ name: "tmp", type: "directory", mode: 0o755 });
  tar.finalize();
  const [repo, tag] = EMPTY_IMAGE.split(":");
  const stream = Readable.from(tar, { objectMode: false });
  const progress = await calls.importImage(stream, { repo, tag });
  await new Promise<void>((resolve, reject) =>
    calls.modem.followProgress(progress, (error) => (error ? reject(error) : resolve())),
  );
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
