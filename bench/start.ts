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
      const runs: Awaited<ReturnType<typeof startTwice>>[] = [];
      for (let round = 0; round < rounds; round++) {
        const seen = await startTwice(env);
        runs.push(seen);
        const [first, again, stop] = [seen.firstMs, seen.againMs, seen.stopMs].map(Math.round);
        say(`${name} ${round + 1}/${rounds}: ${first} ms, again ${again} ms, stop ${stop} ms`);
      }
      const p50 = (what: string, values: readonly number[]) =>
        ({
          what: `${name}: ${what}, p50`,
          value: median(values),
          unit: "ms",
          samples: rounds,
        }) as const;
      const goal = { atMost: GOALS[name] ?? 0 };
      measures.push(
        {
          ...p50(
            "start on a new data folder",
            runs.map(({ firstMs }) => firstMs),
          ),
          goal,
        },
        {
          ...p50(
            "start on a used data folder",
            runs.map(({ againMs }) => againMs),
          ),
          goal,
        },
        p50(
          "stop",
          runs.map(({ stopMs }) => stopMs),
        ),
      );
    }
    return measures;
  },
};

async function startTwice(env: Readonly<Record<string, string>>) {
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

if (import.meta.main) await runAlone(start);
