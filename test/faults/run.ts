import { writeFile } from "node:fs/promises";
import { availableParallelism, totalmem } from "node:os";
import { parseArgs } from "node:util";
import { runDriver } from "./driver.ts";
import { formatReport } from "./format-report.ts";

/** `node test/faults/run.ts [--kills 1000] [--seed 1] [--queue embedded] [--write docs/faults.md]` */
const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "200" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    queue: { type: "string", default: "redis" },
    write: { type: "string" },
  },
});
const say = (text: string) => void process.stdout.write(`${text}\n`);

const { queue } = values;
if (queue !== "redis" && queue !== "embedded")
  throw new Error(`--queue is "${queue}"; expected redis or embedded.`);

const [kills, seed] = [Number(values.kills), Number(values.seed)];
const report = await runDriver({ kills, seed, queue, say });
say(JSON.stringify(report, null, 2));
if (values.write !== undefined) {
  const gigabytes = Math.round(totalmem() / 1024 ** 3);
  const machine = `${availableParallelism()} cores with ${gigabytes} GB`;
  await writeFile(values.write, formatReport(report, machine));
}
if (report.breaches.length + report.leftovers.length > 0) process.exitCode = 1;
