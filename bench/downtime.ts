import { openSystem, type System } from "../test/faults/open-system.ts";
import { answering, stackOf, type TestRepository } from "../test/helpers/repository.ts";
import { type Benchmark, type Measure, runAlone } from "./benchmark.ts";
import { type OpenLoadResult, startOpenLoad } from "./open-load.ts";
import { push } from "./push.ts";
import { median, quantile } from "./statistics.ts";
import { type Place, withPlatform } from "./with-platform.ts";

const SERVICE = "alice-fn";
/** Requests a second. */
const RATE = 1_000;
/** Each is four changes: a push, a deploy, a roll-back, a change of scale. */
const TURNS = 5;

export const downtime: Benchmark = {
  name: "downtime",
  about: `${RATE} requests a second to a node24 function, from a process of their own and whether earlier ones were answered or not, while it changes ${4 * TURNS} times one after the other: pushed, deployed through the API, put back to what served before, scaled to 3 and to 1.`,
  rounds: 10,
  run: (options) =>
    withPlatform({}, async (place) => {
      const subject = await deploy(place);
      const seen: Round[] = [];
      for (let round = 0; round < options.rounds; round++) {
        const result = await measure(subject, options.quick ? 1 : TURNS);
        seen.push(result);
        options.say(`round ${round + 1}/${options.rounds}: ${describeRound(result)}`);
      }
      return report(seen);
    }),
};

type Subject = {
  readonly url: string;
  readonly pushUrl: string;
  readonly work: TestRepository;
  readonly system: System;
  version: number;
};
type Round = OpenLoadResult & { readonly changes: number };

async function deploy({ platform, repository }: Place): Promise<Subject> {
  const subject = {
    url: platform.url,
    pushUrl: await platform.pushUrl("alice", "bench"),
    work: await repository(),
    system: await openSystem(platform),
    version: 0,
  };
  await pushNext(subject);
  return subject;
}

async function pushNext(subject: Subject): Promise<void> {
  subject.version += 1;
  await subject.work.commit({
    "stack.yml": stackOf({ fn: { lang: "node24" } }),
    "fn/handler.js": answering(`v${subject.version}`),
  });
  await push(subject.work, subject.pushUrl);
}

async function measure(subject: Subject, turns: number): Promise<Round> {
  const load = startOpenLoad({
    url: subject.url,
    path: `/function/${SERVICE}`,
    rate: RATE,
    expect: "^v\\d+$",
  });
  try {
    for (let turn = 0; turn < turns; turn++) await change(subject, turn);
  } catch (error) {
    await load.stop();
    throw error;
  }
  return { ...(await load.stop()), changes: 4 * turns };
}

async function change(subject: Subject, turn: number): Promise<void> {
  const { system } = subject;
  const before = await system.show(SERVICE);
  await pushNext(subject);
  await system.redeploy(SERVICE, `${subject.version}`);
  await system.putBack(SERVICE, before);
  await system.scale(SERVICE, turn % 2 === 0 ? 3 : 1);
}

function describeRound({ failures, latencies, perSecond }: Round): string {
  const first =
    failures[0] === undefined ? "" : `, first after ${failures[0].at} ms: ${failures[0].what}`;
  return `failed = ${failures.length}${first}; ${Math.round(perSecond)}/s, p99 ${quantile(latencies, 0.99).toFixed(1)} ms`;
}

function report(rounds: readonly Round[]): Measure[] {
  const samples = rounds.length;
  const requests = rounds.reduce((sum, { latencies }) => sum + latencies.length, 0);
  const failed = rounds.reduce((sum, { failures }) => sum + failures.length, 0);
  const changes = rounds.reduce((sum, round) => sum + round.changes, 0);
  const of = (share: number) => median(rounds.map((one) => quantile(one.latencies, share)));
  return [
    {
      what: "requests that failed",
      value: failed,
      unit: "count",
      samples: requests,
      goal: { atMost: 0 },
    },
    { what: "changes", value: changes, unit: "count", samples },
    {
      what: "rate reached, p50",
      value: median(rounds.map(({ perSecond }) => perSecond)),
      unit: "requests/s",
      samples,
      // A tick of the load that came late is not made up for.
      goal: { atLeast: RATE * 0.98 },
    },
    { what: "answer during changes, p50", value: of(0.5), unit: "ms", samples },
    { what: "answer during changes, p99", value: of(0.99), unit: "ms", samples },
    { what: "slowest answer of a round, p50", value: of(1), unit: "ms", samples },
  ];
}

if (import.meta.main) await runAlone(downtime);
