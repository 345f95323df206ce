import { setTimeout as sleep } from "node:timers/promises";
import { TERMINAL_BUILD_STATES } from "#sdk/messages.ts";
import { answering, stackOf, type TestRepository } from "../test/helpers/repository.ts";
import { type Benchmark, type Measure, runAlone } from "./benchmark.ts";
import type { Build, Platform } from "./platform.ts";
import { median } from "./statistics.ts";
import { type Place, withPlatform } from "./with-platform.ts";

const OWNERS = 10;
const LIMIT_MS = 10 * 60_000;

export const crowd: Benchmark = {
  name: "crowd",
  about:
    "50 pushes by 10 owners at once, each to a repository of its own with one small node24 function: how all of them end, and how long an owner's first build waits while others have several.",
  rounds: 10,
  run: ({ rounds, quick, say }) =>
    withPlatform({}, async (place) => {
      const pushers = await prepare(place, quick ? 2 : 5);
      const seen: Round[] = [];
      for (let round = 0; round < rounds; round++) {
        const result = await pushAll(place.platform, pushers, `v${round}`);
        seen.push(result);
        say(
          `round ${round + 1}/${rounds}: ${(result.ms / 1_000).toFixed(1)} s, ${result.ahead} ahead of the last owner`,
        );
      }
      return report(seen, pushers.length);
    }),
};

type Pusher = { readonly work: TestRepository; readonly url: string };
type Round = {
  /** From the first push's start to the last build's end. */
  readonly ms: number;
  readonly builds: readonly Build[];
  /** Builds of others that began while the last owner's first build waited, and how long it waited. */
  readonly ahead: number;
  readonly waitMs: number;
};

/** Repositories in turns, so that no owner is always first. */
async function prepare({ platform, repository }: Place, each: number): Promise<readonly Pusher[]> {
  const pushers: Pusher[] = [];
  for (let at = 0; at < each * OWNERS; at++) {
    const url = await platform.pushUrl(`owner${at % OWNERS}`, `bench${Math.floor(at / OWNERS)}`);
    pushers.push({ work: await repository(), url });
  }
  return pushers;
}

async function pushAll(
  platform: Platform,
  pushers: readonly Pusher[],
  version: string,
): Promise<Round> {
  const shas: string[] = [];
  for (const [at, { work }] of pushers.entries()) {
    const name = `fn${Math.floor(at / OWNERS)}`;
    const files = {
      "stack.yml": stackOf({ [name]: { lang: "node24" } }),
      [`${name}/handler.js`]: answering(`${version} of ${at}`),
    };
    shas.push(await work.commit(files));
  }
  const startedAt = Date.now();
  await Promise.all(pushers.map(({ work, url }) => work.push(url)));
  const builds = await untilFinal(platform, shas);
  const endedAt = Math.max(...builds.map((build) => build.endedAt ?? 0));
  return { ms: endedAt - startedAt, builds, ...findLastOwner(builds) };
}

/** A push whose connection broke is built all the same. */
async function untilFinal(platform: Platform, shas: readonly string[]): Promise<readonly Build[]> {
  const limit = Date.now() + LIMIT_MS;
  const isFinal = (build: Build) => TERMINAL_BUILD_STATES.some((state) => state === build.state);
  for (;;) {
    const builds = (await platform.builds(1_000)).filter(({ sha }) => shas.includes(sha));
    const ended = builds.filter(isFinal);
    if (ended.length === shas.length) return builds;
    if (Date.now() > limit)
      throw new Error(`${shas.length - ended.length} of ${shas.length} pushes have no end.`);
    await sleep(100);
  }
}

function findLastOwner(builds: readonly Build[]): {
  readonly ahead: number;
  readonly waitMs: number;
} {
  const started = (build: Build) => build.startedAt ?? Number.POSITIVE_INFINITY;
  const byOwner = Map.groupBy(builds, ({ ownerId }) => ownerId);
  const firsts = [...byOwner.values()].map((own) =>
    own.reduce((first, build) => (started(build) < started(first) ? build : first)),
  );
  const last = firsts.reduce((later, build) => (started(build) > started(later) ? build : later));
  // Since when anything of this owner has waited.
  const waitedFrom = Math.min(
    ...(byOwner.get(last.ownerId) ?? []).map(({ acceptedAt }) => acceptedAt),
  );
  const ahead = builds.filter(
    (build) =>
      build.ownerId !== last.ownerId &&
      started(build) > waitedFrom &&
      started(build) < started(last),
  );
  return { ahead: ahead.length, waitMs: started(last) - waitedFrom };
}

function report(rounds: readonly Round[], pushes: number): Measure[] {
  const builds = rounds.flatMap((round) => round.builds);
  const notLive = builds.filter(({ state }) => state !== "live").length;
  const samples = rounds.length;
  const ahead = Math.max(...rounds.map((round) => round.ahead));
  const perMinute = rounds.map(({ ms }) => pushes / (ms / 60_000));
  return [
    {
      what: "pushes that did not end live",
      value: notLive,
      unit: "count",
      samples: builds.length,
      goal: { atMost: 0 },
    },
    {
      what: "builds of others begun while the last owner's first one waited, most",
      value: ahead,
      unit: "count",
      samples,
      goal: { atMost: OWNERS - 1 },
    },
    {
      what: "that wait, p50",
      value: median(rounds.map(({ waitMs }) => waitMs)),
      unit: "ms",
      samples,
    },
    { what: "builds a minute, p50", value: median(perMinute), unit: "builds/min", samples },
    {
      what: "from the first push to the last end, p50",
      value: median(rounds.map(({ ms }) => ms)) / 1_000,
      unit: "s",
      samples,
    },
  ];
}

if (import.meta.main) await runAlone(crowd);
