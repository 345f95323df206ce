import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Firewall } from "./firewall-rules.ts";

/** Runs `iptables` or `iptables-restore` for this machine's network, and returns what it prints. */
export type RunIptables = (
  program: "iptables" | "iptables-restore",
  args: readonly string[],
) => Promise<string>;

/**
 * Put the rules in force, all of a chain in one step, so that there is no moment without them. What leads to
 * them stands first: Docker puts `DOCKER-USER` before its own rules and never changes what is in it.
 */
export async function applyFirewall(
  run: RunIptables,
  folder: string,
  { chains }: Firewall,
): Promise<void> {
  const lines = chains.flatMap(({ chain, rules }) => [
    `:${chain} - [0:0]`,
    ...rules.map((rule) => `-A ${chain} ${rule.join(" ")}`),
  ]);
  const file = join(folder, "firewall.rules");
  await writeFile(file, ["*filter", ...lines, "COMMIT", ""].join("\n"), { mode: 0o600 });
  await run("iptables-restore", ["--wait", "--noflush", file]);
  const existing = (await run("iptables", ["--wait", "-S"])).split("\n");
  const forward = existing.includes("-N DOCKER-USER") ? "DOCKER-USER" : "FORWARD";
  for (const { chain, from, direction } of chains) {
    const parent = direction === "in" ? "INPUT" : forward;
    const jump = [parent, ...from, "-j", chain];
    if (!existing.includes(`-A ${jump.join(" ")}`))
      await run("iptables", ["--wait", "-I", ...jump]);
  }
}
