import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Firewall } from "./firewall-rules.ts";

type Family = "ip" | "ip6";

/** Runs one of these for this machine's network, and returns what it prints. */
export type RunIptables = (
  program: `${Family}tables` | `${Family}tables-restore`,
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
  family: Family = "ip",
): Promise<void> {
  const lines = chains.flatMap(({ chain, rules }) => [
    `:${chain} - [0:0]`,
    ...rules.map((rule) => `-A ${chain} ${rule.join(" ")}`),
  ]);
  await restore(run, folder, lines, family);
  const existing = await listRules(run, family);
  const forward = existing.includes("-N DOCKER-USER") ? "DOCKER-USER" : "FORWARD";
  for (const { chain, from, direction } of chains) {
    const parent = direction === "in" ? "INPUT" : forward;
    const jump = [parent, ...from, "-j", chain];
    if (!existing.includes(`-A ${jump.join(" ")}`))
      await run(`${family}tables`, ["--wait", "-I", ...jump]);
  }
}

/** Take away the chains whose names begin so, with what leads to them, in one step. */
export async function removeFirewall(
  run: RunIptables,
  folder: string,
  prefix: string,
  family: Family = "ip",
): Promise<void> {
  const existing = await listRules(run, family);
  const chains = existing
    .filter((line) => line.startsWith(`-N ${prefix}`))
    .map((line) => line.slice(3));
  const jumps = existing.filter((line) => line.includes(` -j ${prefix}`));
  if (chains.length === 0) return;
  await restore(
    run,
    folder,
    [
      ...jumps.map((line) => line.replace(/^-A/, "-D")),
      ...chains.map((chain) => `-F ${chain}`),
      ...chains.map((chain) => `-X ${chain}`),
    ],
    family,
  );
}

async function listRules(run: RunIptables, family: Family): Promise<string[]> {
  return (await run(`${family}tables`, ["--wait", "-S"])).split("\n");
}

async function restore(
  run: RunIptables,
  folder: string,
  lines: readonly string[],
  family: Family,
): Promise<void> {
  const file = join(folder, family === "ip" ? "firewall.rules" : "firewall6.rules");
  await writeFile(file, ["*filter", ...lines, "COMMIT", ""].join("\n"), { mode: 0o600 });
  await run(`${family}tables-restore`, ["--wait", "--noflush", file]);
}
