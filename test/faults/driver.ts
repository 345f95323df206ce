import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { describe } from "#sdk/errors.ts";
import { comeToRest, observe, servicesOf } from "./come-to-rest.ts";
import { killBelow, killBuilding, provoke, pushAll } from "./disturb.ts";
import { findDockerLeftovers } from "./docker-leftovers.ts";
import { FAULT_POINTS } from "./fault-points.ts";
import { findLeftovers } from "./leftovers.ts";
import { findBreaches } from "./model.ts";
import { listUnfinished, readAnswer, readDigests } from "./observe.ts";
import { countKills, planFaults } from "./plan-faults.ts";
import { createRandom, type Random } from "./random.ts";
import { type Place, type Stage, setStage } from "./stage.ts";

export type DriverOptions = {
  /** Kills in all, of the platform and of what runs below it. */
  readonly kills: number;
  readonly seed: number;
  readonly engine: EngineKind;
  /** Where accepted calls are kept. */
  readonly queue: "redis" | "embedded";
  /** One line for people about what happens. */
  readonly say: (text: string) => void;
};

export type DriverReport = {
  readonly seed: number;
  readonly engine: EngineKind;
  readonly queue: DriverOptions["queue"];
  /** Kills that were to be; there are a few more, since a life has several. */
  readonly asked: number;
  readonly seconds: number;
  /** Times that a platform was started. */
  readonly lives: number;
  readonly pushes: number;
  /** At each named point, of the platform at any moment, and of each kind of process below it. */
  readonly kills: Readonly<Record<string, number>>;
  /** Points that no kill happened at. */
  readonly missed: readonly string[];
  /** Builds by their end. */
  readonly ends: Readonly<Record<string, number>>;
  /** Where the seconds went. */
  readonly spent: Readonly<Record<string, number>>;
  /** What the network did to GitHub's webhooks. */
  readonly webhooks: Readonly<Record<string, number>>;
  readonly breaches: readonly string[];
  readonly leftovers: readonly string[];
  /** Where data and log of the platform are when there is something to look for. */
  readonly folder: string;
};

type EngineKind = "process" | "docker";

const SHOP: Place = { scm: "forge", owner: "alice", repository: "shop" };
const SITE: Place = { scm: "github", owner: "carol", repository: "site" };
/** Images take their time, and their RUN has no network to install from. */
const PLACES: Readonly<Record<EngineKind, readonly Place[]>> = {
  process: [
    SHOP,
    { scm: "forge", owner: "alice", repository: "desk", hasPackage: true },
    { scm: "forge", owner: "bob", repository: "shop" },
    SITE,
  ],
  docker: [SHOP, SITE],
};
/** On Docker dockerd and what it runs is what is new. */
const PLANS = {
  process: { randomEvery: 4, isWhole: true },
  docker: { randomEvery: 2, isWhole: false },
};
/** Short, so that leases are renewed and lost webhooks noticed within a life. */
const SETTINGS = { build_lease: "1500ms", catch_up_interval: "3s" };
const GOOD_NETWORK = { lost: 0, doubled: 0, late: 0 };
const BAD_NETWORK = { lost: 8, doubled: 4, late: 6 };
/** Longest wait of a platform that is ready for its fault point, in milliseconds. */
const POINT_LIMIT_MS = { process: 15_000, docker: 30_000 };
/** A push and three crashes come before it. */
const SWITCH_BACK_LIMIT_MS = 75_000;
/** Longest wait for pushes while nothing is killed, in milliseconds. */
const PUSH_LIMIT_MS = 120_000;
/** Characters of a platform that ended by itself. */
const LAST_WORDS = 2_000;
/** Longest time in which everything below is killed, in milliseconds. */
const RANDOM_LIMIT_MS = 6_000;

type Run = {
  readonly stage: Stage;
  readonly random: Random;
  /** By place of the kill. */
  readonly kills: Map<string, number>;
  /** Different answers of each function, in the order in which they were seen. */
  readonly history: Map<string, string[]>;
  readonly spentMs: Map<string, number>;
  /** Lives that ended without a kill, each with the last words. */
  readonly crashes: string[];
};

/**
 * Push to a platform while it and all that runs below it are killed, start it again each time on the same
 * data and port, and compare the end with the model.
 */
export async function runDriver(options: DriverOptions): Promise<DriverReport> {
  const { kills, seed, engine, queue, say } = options;
  const started = performance.now();
  const random = createRandom(seed);
  const network = { ...GOOD_NETWORK };
  const settings = { ...SETTINGS, queue_backend: queue === "redis" ? "auto" : queue };
  const stage = await setStage(random, network, settings, engine);
  const run: Run = {
    stage,
    random,
    kills: new Map(),
    history: new Map(),
    spentMs: new Map(),
    crashes: [],
  };
  let lives = 1;
  let keep = true;

  try {
    await timed(run, "beginning", () => begin(run));
    // Nobody can miss what a repository that was never heard of had to say.
    Object.assign(network, BAD_NETWORK);
    const plan = { random, kills: run.kills, asked: kills, ...PLANS[engine] };
    for (const fault of planFaults(plan)) {
      lives += 1;
      await (fault === undefined ? liveAtRandom(run) : liveUntil(run, fault));
      if (lives % 5 === 0) say(`${countKills(run.kills)} of ${kills} kills in ${lives} lives`);
    }
    const { breaches, leftovers, ends } = await timed(run, "judging", () => judge(run));
    keep = breaches.length + leftovers.length > 0;
    return {
      seed,
      engine,
      queue,
      asked: kills,
      seconds: Math.round((performance.now() - started) / 1_000),
      lives: lives + 1,
      pushes: stage.trees.flatMap(({ pushes }) => pushes).length,
      kills: Object.fromEntries([...run.kills].toSorted()),
      missed: FAULT_POINTS.filter((point) => !run.kills.has(point)),
      ends,
      spent: Object.fromEntries([...run.spentMs].map(([on, ms]) => [on, Math.round(ms / 1_000)])),
      webhooks: stage.github.counts,
      breaches,
      leftovers,
      folder: stage.folder,
    };
  } catch (cause) {
    throw new Error(`${describe(cause)}\nSeed ${seed}, see ${stage.folder}/platform.log`, {
      cause,
    });
  } finally {
    await stage.close({ keep });
  }
}

async function timed<T>({ spentMs }: Run, on: string, work: () => Promise<T>): Promise<T> {
  const started = performance.now();
  try {
    return await work();
  } finally {
    spentMs.set(on, (spentMs.get(on) ?? 0) + performance.now() - started);
  }
}

async function begin({ stage }: Run): Promise<void> {
  const victim = await stage.live();
  if (!(await victim.ready)) throw new Error(`The platform did not start:\n${victim.said()}`);
  await stage.plant(PLACES[stage.engine]);
  await pushAllGood(stage);
}

/** A push lasts as long as its build; one that never ends is found by whoever waits for rest. */
async function pushAllGood({ trees }: Stage): Promise<void> {
  const pushing = Promise.all(trees.map((tree) => tree.push("good")));
  await Promise.race([pushing, sleep(PUSH_LIMIT_MS, undefined, { ref: false })]);
}

/** A life that ends at a named point: `endBuild:after`, or `endBuild:after:2` the second time. */
async function liveUntil(run: Run, fault: string): Promise<void> {
  const { stage, random } = run;
  const [write = "", moment = ""] = fault.split(":");
  const victim = await stage.live({ OFC_FAULT: fault });
  const living = whileWatched(run, async (over) => {
    const working = [pushAll(stage, random, 1, over), provoke(stage, random, write, over)];
    await victim.ready;
    const limitMs =
      write === "recordSwitchBack" ? SWITCH_BACK_LIMIT_MS : POINT_LIMIT_MS[stage.engine];
    const limit = AbortSignal.any([over, AbortSignal.timeout(limitMs)]);
    await Promise.race([victim.gone, isDone(run, working, limit)]);
    count(run, victim.isGone() ? `${write}:${moment}` : "at any moment");
    return working;
  });
  await timed(run, "killed at a point", () => living);
}

/** Whoever pushes is through, and the platform with what they brought: the point will not be passed. */
async function isDone(
  { stage }: Run,
  working: readonly Promise<void>[],
  limit: AbortSignal,
): Promise<void> {
  await Promise.race([Promise.all(working), once(limit, "abort")]);
  while (
    !limit.aborted &&
    !stage.victim.isGone() &&
    listUnfinished(stage.dataFolder, stage.githubFolder).length > 0
  )
    await sleep(100);
}

/**
 * A life that may finish what was begun, unless it ends while it starts; then an installer is killed, or all
 * that is below, and itself.
 */
async function liveAtRandom(run: Run): Promise<void> {
  const { stage, random } = run;
  const victim = await stage.live();
  const isEarly = random.oneIn(4);
  if (!isEarly) await timed(run, "resting", () => comeToRest(stage));
  const killed = (kind: string) => count(run, kind);
  const living = whileWatched(run, async (over) => {
    if (!isEarly && (stage.docker !== undefined || random.oneIn(2)))
      await Promise.race([victim.gone, killBuilding(stage, random, over, run.kills, killed)]);
    const working = [
      pushAll(stage, random, 2, over),
      killBelow(stage, random, over, run.kills, killed),
    ];
    await Promise.race([victim.gone, sleep(random.below(isEarly ? 1_500 : RANDOM_LIMIT_MS))]);
    count(run, "at any moment");
    return working;
  });
  await timed(run, "killed at random", () => living);
}

/** Note what callers see and which processes there are, until the platform is killed and all is over. */
async function whileWatched(
  run: Run,
  live: (over: AbortSignal) => Promise<readonly Promise<void>[]>,
): Promise<void> {
  const over = new AbortController();
  const watching = [watchChildren(run, over.signal), watchAnswers(run, over.signal)];
  try {
    const working = await live(over.signal);
    run.stage.remember(run.stage.victim.children());
    await endLife(run);
    over.abort();
    await Promise.all(working);
  } finally {
    // Whoever watches on keeps the process, and with it the whole suite, from ending.
    over.abort();
    await Promise.all(watching);
  }
}

/** Whatever is killed below it, a platform lives until it is killed itself. */
async function endLife({ stage: { victim }, crashes }: Run): Promise<void> {
  const end = await victim.kill("SIGKILL");
  if (end !== "SIGKILL")
    crashes.push(`a platform ended by itself with ${end}: ${victim.said().slice(-LAST_WORDS)}`);
}

async function watchChildren({ stage }: Run, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    stage.remember(stage.victim.children());
    await sleep(100);
  }
}

async function watchAnswers(run: Run, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    await look(run);
    await sleep(50);
  }
}

/** A function that does not answer is no news here: the platform may be dead, or its gateway. */
async function look({ stage, history }: Run): Promise<void> {
  await Promise.all(
    servicesOf(stage.trees).map(async (service) => {
      const text = await readAnswer(stage.url, service).catch(() => "");
      const texts = history.get(service) ?? [];
      if (/^\w+:\S+#\d+$/.test(text) && texts.at(-1) !== text)
        history.set(service, [...texts, text]);
    }),
  );
}

/** Nothing is killed any more: every repository gets a last good commit, and all must come to rest. */
async function judge(run: Run) {
  const { stage, history } = run;
  await stage.live();
  await comeToRest(stage);
  await pushAllGood(stage);
  await comeToRest(stage);
  await look(run);
  const seen = await observe(stage, history);
  stage.remember(stage.victim.children());
  const code = await stage.victim.kill("SIGTERM");
  const pushes = stage.trees.flatMap((tree) => tree.pushes);
  const leftovers = [
    ...(await findLeftovers(stage.dataFolder, stage.temporary, stage.everSeen.values())),
    ...(stage.docker === undefined
      ? []
      : await findDockerLeftovers(
          stage.docker,
          stage.dataFolder,
          seen.records,
          readDigests(stage.dataFolder),
        )),
  ];
  const ends = Map.groupBy(seen.builds, ({ state, reason }) =>
    reason.startsWith("gave up") ? "gave up" : state,
  );
  return {
    breaches: [...run.crashes, ...findBreaches(pushes, seen)],
    leftovers: [...leftovers, ...(code === "0" ? [] : [`the platform stopped with ${code}`])],
    ends: Object.fromEntries([...ends].map(([state, builds]) => [state, builds.length])),
  };
}

function count({ kills }: Run, place: string): void {
  kills.set(place, (kills.get(place) ?? 0) + 1);
}
