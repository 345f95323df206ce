import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A machine beside this one: outside-server.ts in a network namespace of its own. */
export type Outside = {
  /** Where it answers on port 80: of a range that is on no network, so it stands for the internet. */
  readonly internet: string;
  /** The same server, as a neighbour in a private network. */
  readonly local: string;
  /** The same server, as a cloud's metadata service. */
  readonly metadata: string;
};

type Context = { teardown(run: () => Promise<void>): void };

/** What comes over `bridge` is let through to it and back, rules aside. Gone with its process. */
export async function startOutside(t: Context, bridge: string): Promise<Outside> {
  const program = join(import.meta.dirname, "outside-server.ts");
  const server = spawn("unshare", ["--net", process.execPath, program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.teardown(() => end(server));
  await once(server.stdout, "data");

  const number = randomInt(0, 64);
  const [here, internet] = [`203.0.113.${number * 4 + 1}`, `203.0.113.${number * 4 + 2}`];
  const others = [`192.168.${randomInt(128, 255)}.7`, `169.254.${randomInt(1, 255)}.7`] as const;
  const link = `ofco-${number}`;
  const inside = (...args: string[]) =>
    run("nsenter", ["-t", `${server.pid}`, "-n", "ip", ...args]);
  await run("ip", [
    "link",
    "add",
    link,
    "type",
    "veth",
    "peer",
    "name",
    "eth0",
    "netns",
    `${server.pid}`,
  ]);
  await run("ip", ["address", "add", `${here}/30`, "dev", link]);
  await run("ip", ["link", "set", link, "up"]);
  for (const address of [`${internet}/30`, ...others])
    await inside("address", "add", address, "dev", "eth0");
  await inside("link", "set", "eth0", "up");
  await inside("route", "add", "default", "via", here);
  for (const address of others) await run("ip", ["route", "add", address, "via", internet]);
  for (const one of [link, bridge])
    await writeFile(`/proc/sys/net/ipv4/conf/${one}/forwarding`, "1");
  await letThrough(t, bridge, link);
  return { internet, local: others[0], metadata: others[1] };
}

/** Behind all other rules: a dockerd of this machine sets the policy to DROP. */
async function letThrough(t: Context, one: string, other: string): Promise<void> {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    const rule = ["FORWARD", "-i", from, "-o", to, "-j", "ACCEPT"];
    await run("iptables", ["--wait", "-A", ...rule]);
    t.teardown(async () => void (await run("iptables", ["--wait", "-D", ...rule])));
  }
}

/** The link goes with the namespace, and that with its last process. */
async function end(server: ChildProcess): Promise<void> {
  const ended = once(server, "exit");
  server.kill("SIGKILL");
  await ended;
}
