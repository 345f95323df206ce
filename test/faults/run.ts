import { writeFile } from "node:fs/promises";
import { availableParallelism, totalmem } from "node:os";
import { parseArgs } from "node:util";
import { runDriver } from "./driver.ts";
import { formatReport } from "./format-report.ts";

/** `node test/faults/run.ts [--kills 1000] [--seed 1] [--engine docker] [--queue embedded] [--write docs/faults.md]` */
const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "200" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    engine: { type: "string", default: "process" },
    queue: { type: "string", default: "redis" },
    write: { type: "string" },
  },
});
const say = (text: string) => void process.stdout.write(`${text}\n`);

const { engine, queue } = values;
if (queue !== "redis" && queue !== "embedded")
  throw new Error(`--queue is "${queue}"; expected redis or embedded.`);
if (engine !== "process" && engine !== "docker")
  throw new Error(`--engine is "${engine}"; expected process or docker.`);

const [kills, seed] = [Number(values.kills), Number(values.seed)];
const report = await runDriver({ kills, seed, engine, queue, say });
say(JSON.stringify(report, null, 2));
if (values.write !== undefined) {
  const gigabytes = Math.round(totalmem() / 1024 ** 3);
  const machine = `${availableParallelism()} cores with ${gigabytes} GB`;
  await writeFile(values.write, formatReport(report, machine));
}
if (report.breaches.length + report.leftovers.length > 0) process.exitCode = 1;
