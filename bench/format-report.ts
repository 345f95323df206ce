import type { Measure, Report, Result } from "./benchmark.ts";
import type { Machine } from "./machine.ts";

const HEAD = ["measure", "value", "goal", "", "samples"] as const;
const LEFT_ALIGNED = [0];

/** For a terminal: the machine, then one table for each benchmark. */
export function formatTable(report: Report): string {
  const tables = report.results.map((result) => {
    if (result.failure !== undefined) return `${titleOf(result)}\nfailed: ${result.failure}`;
    const rows = [HEAD, ...result.measures.map(toRow)];
    const widths = HEAD.map((_, column) =>
      Math.max(...rows.map((row) => row[column]?.length ?? 0)),
    );
    const lines = rows.map((row) =>
      row.map((cell, at) => align(cell, widths[at] ?? 0, at)).join("  "),
    );
    return [titleOf(result), ...lines].join("\n");
  });
  return [...formatMachine(report.machine), ...warn(report), "", tables.join("\n\n")].join("\n");
}

/** For docs/benchmarks.md. */
export function formatMarkdown(report: Report): string {
  const tables = report.results.map((result) => {
    if (result.failure !== undefined) return `### ${result.name}\n\nFailed: ${result.failure}`;
    const rows = result.measures.map((measure) => `| ${toRow(measure).join(" | ")} |`);
    return [
      `### ${result.name}`,
      "",
      `${result.about} Rounds: ${result.rounds}.`,
      "",
      `| ${HEAD.join(" | ")} |`,
      "| --- | --: | --: | :-: | --: |",
      ...rows,
    ].join("\n");
  });
  return [
    formatMachine(report.machine)
      .map((line) => `- ${line}`)
      .join("\n"),
    ...tables,
  ].join("\n\n");
}

function titleOf({ name, about, rounds }: Result): string {
  return `${name} (rounds: ${rounds})\n${about}`;
}

function warn({ quick }: Report): string[] {
  return quick ? ["--quick: too few measurements for a result"] : [];
}

function formatMachine(machine: Machine): string[] {
  const { cores, model, memoryGb, kernel, node, git, redis, commit, date, load } = machine;
  return [
    `${date}, commit ${commit}`,
    `${cores} cores of ${model}, ${memoryGb} GB memory, Linux ${kernel}, load before: ${load}`,
    `Node ${node}, git ${git}, redis-server ${redis ?? "not on the PATH"}`,
  ];
}

function toRow(measure: Measure): string[] {
  const { what, value, unit, samples, goal } = measure;
  const wanted =
    goal === undefined ? "" : "atMost" in goal ? `≤ ${goal.atMost}` : `≥ ${goal.atLeast}`;
  const met = goal === undefined ? "" : isMet(measure) ? "reached" : "missed";
  return [what, `${formatNumber(value)} ${unit}`, wanted, met, String(samples)];
}

function isMet({ value, goal }: Measure): boolean {
  if (goal === undefined) return true;
  return "atMost" in goal ? value <= goal.atMost : value >= goal.atLeast;
}

/** Three figures that mean something, no more. */
function formatNumber(value: number): string {
  if (value >= 100 || Number.isInteger(value)) return String(Math.round(value));
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function align(cell: string, width: number, column: number): string {
  return LEFT_ALIGNED.includes(column) ? cell.padEnd(width) : cell.padStart(width);
}
