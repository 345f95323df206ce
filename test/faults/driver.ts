import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { describe } from "#sdk/errors.ts";
import { withDeadline } from "#sdk/with-deadline.ts";
import { comeToRest, observe } from "./come-to-rest.ts";
import { killBelow, killBuilding, provoke, pushAll } from "./disturb.ts";
import { findDockerLeftovers } from "./docker-leftovers.ts";
import { FAULT_POINTS } from "./fault-points.ts";
import { findLeftovers } from "./leftovers.ts";
import { findBreaches } from "./model.ts";
import { listGatewayCrashes, listUnfinished, readDigests } from "./observe.ts";
import { countKills, planFaults } from "./plan-faults.ts";
import { createRandom, type Random } from "./random.ts";
import { type Place, type Stage, setStage } from "./stage.ts";
import { look, type Watched, whileWatched } from "./watch-life.ts";

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
/** Longest time in which everything below is killed, in milliseconds. */
const RANDOM_LIMIT_MS = 6_000;

type Run = Watched & {
  readonly random: Random;
  /** By place of the kill. */
  readonly kills: Map<string, number>;
  readonly spentMs: Map<string, number>;
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
    const said = [describe(cause), ...run.crashes].join("\n");
    throw new Error(`${said}\nSeed ${seed}, see ${stage.folder}/platform.log`, { cause });
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
    const limit = withDeadline(limitMs, over);
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
    breaches: [
      ...run.crashes,
      ...(await listGatewayCrashes(stage.folder)),
      ...findBreaches(pushes, seen),
    ],
    leftovers: [...leftovers, ...(code === "0" ? [] : [`the platform stopped with ${code}`])],
    ends: Object.fromEntries([...ends].map(([state, builds]) => [state, builds.length])),
  };
}

function count({ kills }: Run, place: string): void {
  kills.set(place, (kills.get(place) ?? 0) + 1);
}
