import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { promisify } from "node:util";

const SWITCH = "/proc/sys/net/bridge/bridge-nf-call-iptables";

/**
 * Rules see what passes between two containers of one bridge only when the kernel shows it to them. dockerd
 * switches that on for networks like ours, where it manages iptables itself; as root it is done here, too.
 */
export async function filterBridge(): Promise<void> {
  if (await isOn()) return;
  if (process.getuid?.() === 0) await switchOn();
  if (await isOn()) return;
  throw new Error(
    'functions would reach one another: run "modprobe br_netfilter" and "sysctl net.bridge.bridge-nf-call-iptables=1" as root',
  );
}

async function isOn(): Promise<boolean> {
  // Not there before the module is loaded.
  return (await readFile(SWITCH, "utf8").catch(() => "")).trim() === "1";
}

const run = promisify(execFile);

/** What fails here is told by whoever looks whether it is on. */
async function switchOn(): Promise<void> {
  await run("modprobe", ["br_netfilter"], { env: { PATH: "/usr/sbin:/sbin" } }).catch(() => {});
  await writeFile(SWITCH, "1").catch(() => {});
}
