import { type Benchmark, type Measure, runAlone } from "./benchmark.ts";
import { prepareChanges, type Sample } from "./prepare-changes.ts";
import { median, quantile } from "./statistics.ts";
import { withPlatform } from "./with-platform.ts";

const WARM_UPS = 2;

export const pushToLive: Benchmark = {
  name: "push-to-live",
  about:
    "A source-only change of a small node24 function on a warm platform: from the moment the forge's ref moved, which is when the pack is in, to the first 200 of the new version through the gateway.",
  rounds: 20,
  run: ({ rounds, say }) =>
    withPlatform({}, async (place) => {
      const one = await prepareChanges(place, "one", 1);
      const ten = await prepareChanges(place, "ten", 10);
      const [ones, tens]: [Sample[], Sample[]] = [[], []];
      for (let round = -WARM_UPS; round < rounds; round++) {
        // In turns, so that what the machine does besides falls on both alike.
        const [first, second] = [await one.change(), await ten.change()];
        if (round < 0) continue;
        ones.push(first);
        tens.push(second);
        say(
          `${round + 1}/${rounds}: ${Math.round(first.liveMs)} ms, ${Math.round(second.liveMs)} ms`,
        );
      }
      await one.close();
      await ten.close();
      return report(ones, tens);
    }),
};

function report(ones: readonly Sample[], tens: readonly Sample[]): Measure[] {
  const samples = ones.length;
  const pick = (of: (sample: Sample) => number, from = ones) => from.map(of);
  const ms = (what: string, values: readonly number[], share = 0.5): Measure => ({
    what,
    value: quantile(values, share),
    unit: "ms",
    samples,
  });
  const live = pick(({ liveMs }) => liveMs);
  const tenLive = pick(({ liveMs }) => liveMs, tens);
  const names = [...(ones[0]?.stages.keys() ?? [])];
  return [
    { ...ms("ref moved to first 200, p50", live), goal: { atMost: 400 } },
    ms("ref moved to first 200, p90", live, 0.9),
    ms(
      "start of git push to first 200, p50",
      pick(({ pushLiveMs }) => pushLiveMs),
    ),
    ms(
      "baseline: git push to a bare folder, p50",
      pick(({ barePushMs }) => barePushMs),
    ),
    ms(
      "whole git push with its report, p50",
      pick(({ pushMs }) => pushMs),
    ),
    ms("one of ten functions changed, p50", tenLive),
    {
      what: "one of ten changed, times one of one",
      value: median(tenLive) / median(live),
      unit: "×",
      samples,
      goal: { atMost: 1.2 },
    },
    ...names.map((name) =>
      ms(
        `stage until ${name}, p50`,
        pick(({ stages }) => stages.get(name) ?? 0),
      ),
    ),
  ];
}

if (import.meta.main) await runAlone(pushToLive);
