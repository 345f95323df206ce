import { readFile, writeFile } from "node:fs/promises";
import {
  type Arguments,
  type Benchmark,
  print,
  type Report,
  readArguments,
  runAll,
} from "./benchmark.ts";
import { crowd } from "./crowd.ts";
import { dockerContext } from "./docker-context.ts";
import { dockerPush } from "./docker-push.ts";
import { downtime } from "./downtime.ts";
import { footprint } from "./footprint.ts";
import { formatMarkdown } from "./format-report.ts";
import { intake } from "./intake.ts";
import { invoke } from "./invoke.ts";
import { pushToLive } from "./push-to-live.ts";
import { start } from "./start.ts";

const BENCHMARKS: readonly Benchmark[] = [
  pushToLive,
  dockerPush,
  dockerContext,
  intake,
  invoke,
  footprint,
  start,
  crowd,
  downtime,
];
const BEGIN = "<!-- results: node bench/all.ts --write docs/benchmarks.md -->";
const END = "<!-- end of results -->";

/** `all.ts [names…] [--rounds N] [--quick] [--json] [--write FILE]`: all of them unless some are named. */
const given = readArguments(process.argv.slice(2));
const page = given.write === undefined ? undefined : await readPage(given.write, given);
const report = await runAll(choose(given.names), given);
if (page !== undefined) await writeFile(page.path, page.fill(report));
print(report, given.json);

function choose(names: readonly string[]): readonly Benchmark[] {
  const unknown = names.find((name) => BENCHMARKS.every((one) => one.name !== name));
  if (unknown !== undefined)
    throw new Error(
      `There is no benchmark "${unknown}"; known: ${BENCHMARKS.map(({ name }) => name).join(", ")}.`,
    );
  return names.length === 0 ? BENCHMARKS : BENCHMARKS.filter(({ name }) => names.includes(name));
}

/** Looked at before anything is measured: a page that cannot take the results would cost half an hour. */
async function readPage(path: string, { quick, names }: Arguments) {
  if (quick || names.length > 0)
    throw new Error("--write is for results of all benchmarks, not with --quick or names.");
  const text = await readFile(path, "utf8");
  const [before, after] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (before < 0 || after < before) throw new Error(`${path} has no lines ${BEGIN} and ${END}.`);
  const fill = (result: Report) =>
    `${text.slice(0, before + BEGIN.length)}\n\n${formatMarkdown(result)}\n\n${text.slice(after)}`;
  return { path, fill };
}
