import { execFile } from "node:child_process";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { Client } from "undici";
import { answering, stackOf, type TestRepository } from "../test/helpers/repository.ts";
import { type Benchmark, type Measure, runAlone } from "./benchmark.ts";
import type { Build, Event, Platform } from "./platform.ts";
import { push } from "./push.ts";
import { median, quantile } from "./statistics.ts";
import { type Place, withPlatform } from "./with-platform.ts";

const run = promisify(execFile);
/** Between two questions whether the new version answers; the resolution of the result. */
const POLL_MS = 3;
const LIVE_LIMIT_MS = 60_000;
const WARM_UPS = 2;

export const pushToLive: Benchmark = {
  name: "push-to-live",
  about:
    "A source-only change of a small node24 function on a warm platform: from the moment the forge's ref moved, which is when the pack is in, to the first 200 of the new version through the gateway.",
  rounds: 20,
  run: ({ rounds, say }) =>
    withPlatform({}, async (place) => {
      const one = await prepare(place, "one", 1);
      const ten = await prepare(place, "ten", 10);
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

type Sample = {
  /** From the ref's move to the first 200 of the new version. */
  readonly liveMs: number;
  /** `git push` from its start to that moment, and to its own end. */
  readonly pushLiveMs: number;
  readonly pushMs: number;
  /** The same commit pushed to a folder without hooks. */
  readonly barePushMs: number;
  /** How long each stage took, in order. */
  readonly stages: ReadonlyMap<string, number>;
};

async function prepare({ platform, repository }: Place, owner: string, count: number) {
  const names = Array.from({ length: count }, (_, at) => `fn${at}`);
  const work = await repository();
  const url = await platform.pushUrl(owner, "bench");
  const bare = await makeBare();
  const functions = Object.fromEntries(names.map((name) => [name, { lang: "node24" }]));
  const handlers = names.map((name) => [`${name}/handler.js`, answering("first")] as const);
  await work.commit({ "stack.yml": stackOf(functions), ...Object.fromEntries(handlers) });
  await push(work, url);
  let version = 0;

  return {
    change: () =>
      changeOnce(platform, { work, url, bare, service: `${owner}-fn0` }, `v${++version}`),
    close: () => rm(bare, { recursive: true, force: true }),
  };
}

type Target = {
  readonly work: TestRepository;
  readonly url: string;
  readonly bare: string;
  readonly service: string;
};

async function changeOnce(platform: Platform, target: Target, version: string): Promise<Sample> {
  const { work, url, bare, service } = target;
  const sha = await work.commit({ "fn0/handler.js": answering(version) });
  const barePushMs = await push(work, bare);

  const startedAt = Date.now();
  const [pushMs, liveAt] = await Promise.all([
    push(work, url),
    pollUntil(platform.url, service, version),
  ]);
  const build = (await platform.builds(10)).find((one) => one.sha === sha);
  if (build === undefined) throw new Error(`The platform has no build of ${sha}.`);
  const movedAt = await refMovedAt(platform, build);
  const stages = divide(movedAt, build, await platform.events(build.id), liveAt);
  return { liveMs: liveAt - movedAt, pushLiveMs: liveAt - startedAt, pushMs, barePushMs, stages };
}

async function makeBare(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "ofc-bench-bare-"));
  await run("git", ["init", "--quiet", "--bare", folder]);
  return folder;
}

/** Ask until the function answers 200 with this text; Unix milliseconds. */
async function pollUntil(url: string, service: string, text: string): Promise<number> {
  const client = new Client(new URL(url).origin);
  const limit = Date.now() + LIVE_LIMIT_MS;
  try {
    for (;;) {
      const answer = await client.request({ path: `/function/${service}`, method: "GET" });
      const said = await answer.body.text();
      if (answer.statusCode === 200 && said === text) return Date.now();
      if (Date.now() > limit)
        throw new Error(`${service} does not answer "${text}" but "${said}".`);
      await sleep(POLL_MS);
    }
  } finally {
    await client.close();
  }
}

/** receive-pack writes the ref once the whole pack is stored and checked. */
async function refMovedAt({ dataFolder }: Platform, { repositoryId }: Build): Promise<number> {
  const folder = `${repositoryId.slice("forge:".length)}.git`;
  return (await stat(join(dataFolder, "git/forge", folder, "refs/heads/main"))).mtimeMs;
}

/** Moments of a build that end its stages, in order. */
function divide(movedAt: number, build: Build, events: readonly Event[], liveAt: number) {
  const at = (type: string, step?: string) =>
    events.find((event) => event.type === type && event.step === step)?.at;
  const moments = [
    ["webhook accepted", build.acceptedAt],
    ["claimed by a worker", build.startedAt],
    ["head read and commit fetched", at("fetched")],
    ["planned", at("planned")],
    ["built", at("function", "built")],
    ["replica asked for", at("function", "starting")],
    ["healthy and published", at("function", "healthy")],
    ["first 200 seen", liveAt],
  ] as const;
  const stages = new Map<string, number>();
  let before = movedAt;
  for (const [name, moment] of moments) {
    if (moment === undefined) throw new Error(`Build ${build.id} has no moment "${name}".`);
    stages.set(name, moment - before);
    before = moment;
  }
  return stages;
}

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
