import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { readdir, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { errorCode } from "#sdk/errors.ts";
import { until } from "./until.ts";

const run = promisify(execFile);

/** What start-docker.ts asks for; answered with the same word when it is done. */
export type KeeperCall = "start" | "kill";

export type KeeperOptions = {
  /** Everything of this dockerd lies below it; its name is in the arguments of each of its processes. */
  readonly folder: string;
  readonly flags: readonly string[];
};

type Network = {
  /** Its name is taken at once or not at all, so that no two have the same addresses. */
  readonly bridge: string;
  /** First half of the addresses of its networks, `10.7.`; the bridge is the first of them. */
  readonly subnet: string;
};

type Kept = KeeperOptions & Network;

const CGROUPS = "/sys/fs/cgroup";

/**
 * Keeps one dockerd for a test file and leaves nothing of it behind, however the test file ends: it is a
 * process of its own, and the end of its channel is the order to clean up.
 */
async function keepDocker(options: KeeperOptions): Promise<void> {
  let dockerd: ChildProcess | undefined;
  const network = makeNetwork(options);
  let turn: Promise<unknown> = network;
  // Ctrl-C reaches the whole group; the test file goes first, and takes the channel with it.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
  process.on("message", (call: KeeperCall) => {
    turn = turn.then(() => obey(call));
    turn.then(
      () => answer(call),
      (error: unknown) => answer(`${call}: ${error}`),
    );
  });
  await once(process, "disconnect");
  await turn.catch(() => {});
  await killDaemon();
  await cleanUp({ ...options, ...(await network) });

  async function obey(call: KeeperCall): Promise<void> {
    if (call === "kill") await killDaemon();
    else dockerd = startDaemon({ ...options, ...(await network) });
  }

  /** Asked politely, it would wait 10 s for each container that does not listen. */
  async function killDaemon(): Promise<void> {
    if (dockerd === undefined) return;
    if (dockerd.exitCode === null && dockerd.signalCode === null) {
      dockerd.kill("SIGKILL");
      await once(dockerd, "exit");
    }
    dockerd = undefined;
    // The next dockerd would take it for alive, even as a zombie, and wait for it in vain.
    await rm(join(options.folder, "exec/containerd/containerd.pid"), { force: true });
  }
}

function answer(text: string): void {
  if (process.connected) process.send?.(text);
}

/** `<folder>/subnet` says which it is. */
async function makeNetwork({ folder }: KeeperOptions): Promise<Network> {
  const { stdout: routes } = await run("ip", ["-4", "route"]);
  for (;;) {
    const number = randomInt(64, 255);
    const network = { bridge: `ofcd-${number}`, subnet: `10.${number}.` };
    if (routes.includes(network.subnet) || !(await addBridge(network))) continue;
    await writeFile(join(folder, "subnet"), network.subnet);
    return network;
  }
}

/** False when another one has it. */
async function addBridge({ bridge, subnet }: Network): Promise<boolean> {
  try {
    await run("ip", ["link", "add", bridge, "type", "bridge"]);
  } catch (error) {
    if (/File exists/.test(String(error))) return false;
    throw error;
  }
  await run("ip", ["address", "add", `${subnet}0.1/24`, "dev", bridge]);
  await run("ip", ["link", "set", bridge, "up"]);
  return true;
}

function startDaemon({ folder, bridge, subnet, flags }: Kept): ChildProcess {
  const log = openSync(join(folder, "dockerd.log"), "a");
  const places = [
    ["--data-root", join(folder, "data")],
    ["--exec-root", join(folder, "exec")],
    ["--pidfile", join(folder, "dockerd.pid")],
    ["--config-file", join(folder, "daemon.json")],
    ["--host", `unix://${join(folder, "docker.sock")}`],
    ["--bridge", bridge],
    ["--default-address-pool", `base=${subnet}128.0/17,size=26`],
    ["--cgroup-parent", `/${bridge}`],
    ["--log-level", "warn"],
  ];
  // Another group, so that Ctrl-C does not end it before what it runs.
  const dockerd = spawn("dockerd", [...places.flat(), ...flags], {
    stdio: ["ignore", log, log],
    detached: true,
  });
  closeSync(log);
  return dockerd;
}

/** Processes, mounts, cgroups, files, networks: in this order, since each holds the next. */
async function cleanUp({ folder, bridge, subnet }: Kept): Promise<void> {
  await until(async () => (await killProcesses(folder, bridge)) === 0, 60_000);
  for (const mount of (await mountsBelow(folder)).reverse()) await run("umount", ["-l", mount]);
  for (const name of await readdir(CGROUPS)) await removeCgroup(join(CGROUPS, name, bridge));
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  // With the bridge its name and addresses are free for the next one.
  for (const name of await linksIn(subnet)) await run("ip", ["link", "delete", name]);
}

/** Those whose arguments name the folder (dockerd, containerd, its shims), and those in its cgroup. */
async function killProcesses(folder: string, bridge: string): Promise<number> {
  const pids = (await readdir("/proc")).map(Number).filter((pid) => pid > 1 && pid !== process.pid);
  const ours: number[] = [];
  for (const pid of pids) {
    const [args, groups] = await Promise.all([
      readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => ""),
      readFile(`/proc/${pid}/cgroup`, "utf8").catch(() => ""),
    ]);
    const isDocker = /^[^\0]*(dockerd|containerd|runc)/.test(args) && args.includes(folder);
    if (isDocker || groups.includes(`:/${bridge}/`)) ours.push(pid);
  }
  for (const pid of ours) tryKill(pid);
  return ours.length;
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (errorCode(error) !== "ESRCH") throw error;
  }
}

async function mountsBelow(folder: string): Promise<string[]> {
  const mounts = await readFile("/proc/self/mounts", "utf8");
  return mounts
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "")
    .filter((path) => path.startsWith(`${folder}/`));
}

/** The bridge, and those of networks that tests made. */
async function linksIn(subnet: string): Promise<Set<string>> {
  const { stdout } = await run("ip", ["-o", "-4", "address"]);
  const found = stdout.matchAll(/^\d+: (\S+) +inet (\S+)/gm);
  return new Set(
    [...found].flatMap(([, name = "", at = ""]) => (at.startsWith(subnet) ? name : [])),
  );
}

/** Groups are removed from within; a process that has just ended may hold one for a moment. */
async function removeCgroup(path: string): Promise<void> {
  const entries = await readdir(path, { withFileTypes: true }).catch(ignoreMissing);
  for (const entry of entries ?? [])
    if (entry.isDirectory()) await removeCgroup(join(path, entry.name));
  await until(() => rmdir(path).then(() => true, isGone), 30_000);
}

function isGone(error: unknown): boolean {
  if (errorCode(error) === "EBUSY") return false;
  ignoreMissing(error);
  return true;
}

function ignoreMissing(error: unknown): undefined {
  if (errorCode(error) !== "ENOENT") throw error;
}

if (import.meta.main) await keepDocker(JSON.parse(process.argv[2] ?? "{}"));
