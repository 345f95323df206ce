import type { DriverReport } from "./driver.ts";

/** The page `docs/faults.md` of one long run. */
export function formatReport(report: DriverReport, machine: string): string {
  const { seed, seconds, lives, pushes, kills, missed, ends, webhooks, breaches, leftovers } =
    report;
  const total = Object.values(kills).reduce((sum, one) => sum + one, 0);
  return `# What kills do to the platform

\`node test/faults/run.ts --kills ${total} --seed ${seed} --write docs/faults.md\` wrote this page: ${total} kills with SIGKILL in ${lives} lives of one data folder,
while ${pushes} commits were pushed to four repositories of three owners, over the forge and as signed webhooks through
a network that loses, doubles and reorders them. It took ${Math.round(seconds / 60)} minutes on ${machine}.

After the last kill every accepted commit has to have one final, true status; what serves has to be the newest
eligible commit; nothing may have been deployed twice; and no process, lock, temporary folder or half artefact may be
left (\`test/faults/model.ts\`, \`test/faults/leftovers.ts\`).

| Result | |
| --- | --- |
| breaches of the model | ${formatList(breaches)} |
| left behind | ${formatList(leftovers)} |
| fault points never reached | ${formatList(missed)} |
| builds by their end | ${formatCounts(ends)} |
| webhooks tampered with | ${formatCounts(webhooks)} |

## Where it was killed

Named points are just before and just after the commit of a ledger method; a kill "at any moment" is one of the platform
process, the others are of processes below it.

| Place | Kills |
| --- | ---: |
${Object.entries(kills)
  .map(([place, count]) => `| ${place} | ${count} |`)
  .join("\n")}
`;
}

function formatList(lines: readonly string[]): string {
  return lines.length === 0 ? "none" : lines.join("; ");
}

function formatCounts(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([what, count]) => `${count} ${what}`)
    .join(", ");
}
