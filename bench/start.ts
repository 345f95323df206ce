import { rm } from "node:fs/promises";
import { BLANK_DATABASE, makeDatabase } from "../queue/embedded/make-database.ts";
import { removeData } from "../test/helpers/platform.ts";
import { type Benchmark, type Measure, runAlone } from "./benchmark.ts";
import { makeDataFolder, startPlatform } from "./platform.ts";
import { listQueues } from "./queues.ts";
import { median } from "./statistics.ts";

/** Milliseconds. */
const GOALS: Readonly<Record<string, number>> = { Redis: 1_500, "embedded queue": 3_000 };

export const start: Benchmark = {
  name: "start",
  about:
    "`./ofc up` with its dependencies installed, from the start of the command to its `ready` line, on a new data folder and on one that was used; and SIGTERM to its end.",
  rounds: 10,
  async run({ rounds, say }) {
    const measures: Measure[] = [];
    for (const { name, env } of listQueues()) {
      const isEmbedded = env.queue_backend === "embedded";
      // Set-up leaves it where there is no Redis.
      if (isEmbedded) await makeDatabase(BLANK_DATABASE);
      const runs: Run[] = [];
      for (let round = 0; round < rounds; round++) {
        const seen = await startTwice(env);
        runs.push(seen);
        const [first, again, stop] = [seen.firstMs, seen.againMs, seen.stopMs].map(Math.round);
        say(`${name} ${round + 1}/${rounds}: ${first} ms, again ${again} ms, stop ${stop} ms`);
      }
      measures.push(...report(name, runs));
      if (isEmbedded) measures.push(await measureMaking(name, env, Math.min(rounds, 5)));
    }
    return measures;
  },
};

type Run = { readonly firstMs: number; readonly againMs: number; readonly stopMs: number };

async function startTwice(env: Readonly<Record<string, string>>): Promise<Run> {
  const dataFolder = await makeDataFolder();
  try {
    const first = await startPlatform({ dataFolder, env });
    const stopMs = await first.stop();
    const again = await startPlatform({ dataFolder, env });
    await again.stop();
    return { firstMs: first.startMs, againMs: again.startMs, stopMs };
  } finally {
    await removeData(dataFolder);
  }
}

/** As where Redis was there at set-up and is not used. */
async function measureMaking(
  name: string,
  env: Readonly<Record<string, string>>,
  rounds: number,
): Promise<Measure> {
  const starts: number[] = [];
  try {
    await rm(BLANK_DATABASE, { recursive: true });
    for (let round = 0; round < rounds; round++) starts.push((await startTwice(env)).firstMs);
  } finally {
    await makeDatabase(BLANK_DATABASE);
  }
  return p50(`${name}: start that has to make its database, p50`, starts);
}

function report(name: string, runs: readonly Run[]): Measure[] {
  const goal = { atMost: GOALS[name] ?? 0 };
  const of = (field: keyof Run) => runs.map((run) => run[field]);
  return [
    { ...p50(`${name}: start on a new data folder, p50`, of("firstMs")), goal },
    { ...p50(`${name}: start on a used data folder, p50`, of("againMs")), goal },
    p50(`${name}: stop, p50`, of("stopMs")),
  ];
}

function p50(what: string, values: readonly number[]): Measure {
  return { what, value: median(values), unit: "ms", samples: values.length };
}

if (import.meta.main) await runAlone(start);
