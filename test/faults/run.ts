import { writeFile } from "node:fs/promises";
import { availableParallelism, totalmem } from "node:os";
import { parseArgs } from "node:util";
import { runDriver } from "./driver.ts";
import { formatReport } from "./format-report.ts";

/** `node test/faults/run.ts [--kills 1000] [--seed 1] [--write docs/faults.md]` */
const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "200" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    write: { type: "string" },
  },
});
const say = (text: string) => void process.stdout.write(`${text}\n`);

const report = await runDriver({ kills: Number(values.kills), seed: Number(values.seed), say });
say(JSON.stringify(report, null, 2));
if (values.write !== undefined) {
  const gigabytes = Math.round(totalmem() / 1024 ** 3);
  const machine = `${availableParallelism()} cores with ${gigabytes} GB`;
  await writeFile(values.write, formatReport(report, machine));
}
if (report.breaches.length + report.leftovers.length > 0) process.exitCode = 1;
