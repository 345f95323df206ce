import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { answering, stackOf, type TestRepository } from "../test/helpers/repository.ts";
import { type Benchmark, type Measure, type Options, runAlone } from "./benchmark.ts";
import { findSocket } from "./endpoints.ts";
import { type LoadResult, type LoadSpec, runLoad, type Target } from "./load.ts";
import type { Platform } from "./platform.ts";
import { listCores, listTree, pin } from "./processes.ts";
import { push } from "./push.ts";
import { median } from "./statistics.ts";
import { type Place, withPlatform } from "./with-platform.ts";

const SERVICE = "alice-fn";
const GATEWAY_PATH = `/function/${SERVICE}`;
/** Requests a second while pushes are built: far from saturation, so that p99 tells of waiting, not of queueing. */
const STEADY_RATE = 200;
/** The goal of 15,000 requests a second is for a machine on which the bare proxy carries 28,000. */
const LEAST_SHARE = 0.54;
/** Rounds that are not counted: code gets warm, connections open. */
const WARM_UPS = 1;

export const invoke: Benchmark = {
  name: "invoke",
  about:
    "GET of a node24 function. Throughput and added time: the proxy (this gateway, or a bare undici proxy) alone on one core, function and load on another; the function directly on its Unix socket for comparison. Pushes: nothing pinned by the benchmark, 200 requests a second over 32 connections, in turns quiet and with a push of another function started each second.",
  rounds: 10,
  run: (options) =>
    withPlatform({}, async (place) => {
      await deploy(place, "alice");
      const builder = await preparePushes(place);
      const unpinned = await measurePushes(place.platform, builder, options);
      const pinned = await measureProxies(place.platform, options);
      return [...pinned, ...unpinned];
    }),
};

async function deploy({ platform, repository }: Place, owner: string) {
  const work = await repository();
  const url = await platform.pushUrl(owner, "bench");
  const files = {
    "stack.yml": stackOf({ fn: { lang: "node24" } }),
    "fn/handler.js": answering("one"),
  };
  await work.commit(files);
  await push(work, url);
  return { work, url };
}

/** By what was asked and the number of connections. */
type Runs = ReadonlyMap<string, readonly LoadResult[]>;

/** Every kind of run in each round, so that what the machine does besides falls on all alike. */
async function measureProxies(platform: Platform, { rounds, quick, say }: Options) {
  // The pipeline leaves the last core to calls by itself.
  const [otherCore, proxyCore] = await listCores();
  if (otherCore === undefined || proxyCore === undefined)
    throw new Error("One core for the proxy and one for the rest are needed.");
  const socket = await findSocket(platform.dataFolder, SERVICE);
  const bare = await startBareProxy(socket);
  await pinAll(platform.pid, bare.child.pid ?? 0, proxyCore, otherCore);

  const direct = { target: { path: socket }, path: "/" };
  const throughBare = { target: { host: "127.0.0.1", port: bare.port }, path: "/" };
  const throughGateway = { target: targetOf(platform), path: GATEWAY_PATH };
  const durationMs = quick ? 1_000 : 2_000;
  const runs = new Map<string, LoadResult[]>();
  for (let round = -WARM_UPS; round < rounds; round++) {
    for (const connections of [1, 32, 64])
      for (const [name, where] of Object.entries({ direct, throughBare, throughGateway })) {
        const result = await runLoad({ ...where, connections, durationMs }, otherCore);
        refuseFailures(name, result);
        if (round < 0) continue;
        const key = `${name} ${connections}`;
        runs.set(key, [...(runs.get(key) ?? []), result]);
      }
    if (round < 0) continue;
    const last = runs.get("throughGateway 32")?.at(-1)?.perSecond ?? 0;
    say(`round ${round + 1}/${rounds}: ${Math.round(last)} requests/s at 32 connections`);
  }
  bare.child.kill();
  return reportProxies(runs);
}

async function startBareProxy(socket: string): Promise<{ child: ChildProcess; port: number }> {
  const child = fork(fileURLToPath(new URL("./bare-proxy.ts", import.meta.url)), [socket]);
  const [port] = (await once(child, "message")) as [number];
  return { child, port };
}

/** The gateway and the bare proxy take turns on one core; everything else of the platform is on the other. */
async function pinAll(root: number, bare: number, proxyCore: number, otherCore: number) {
  for (const { pid, command } of await listTree(root)) {
    const isGateway = command.some((word) => word.endsWith("gateway/main.ts"));
    await pin(pid, isGateway ? proxyCore : otherCore);
  }
  await pin(bare, proxyCore);
}

function targetOf({ url }: Platform): Target {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
}

function refuseFailures(name: string, { refused, requests }: LoadResult): void {
  if (refused > 0) throw new Error(`${name}: ${refused} of ${requests + refused} were not 200.`);
}

function reportProxies(runs: Runs): Measure[] {
  const samples = runs.get("direct 1")?.length ?? 0;
  const of = (name: string, field: "perSecond" | "p50" | "p99") =>
    median((runs.get(name) ?? []).map((result) => result[field]));
  const rate = (what: string, name: string): Measure => {
    const value = of(name, "perSecond");
    return { what: `${what}, median`, value, unit: "requests/s", samples };
  };
  const added = (name: string): Omit<Measure, "what"> => {
    return { value: of(name, "p50") - of("direct 1", "p50"), unit: "ms", samples };
  };
  const share = (connections: number): Measure => {
    const bare = runs.get(`throughBare ${connections}`) ?? [];
    const shares = (runs.get(`throughGateway ${connections}`) ?? []).map(
      ({ perSecond }, round) => perSecond / (bare[round]?.perSecond ?? 0),
    );
    const what = `gateway, times the bare proxy, ${connections} connections, median`;
    return { what, value: median(shares), unit: "×", samples, goal: { atLeast: LEAST_SHARE } };
  };
  const goal = { atLeast: 15_000 };
  return [
    { ...rate("gateway, 32 connections", "throughGateway 32"), goal },
    { ...rate("gateway, 64 connections", "throughGateway 64"), goal },
    share(32),
    share(64),
    rate("baseline: bare undici proxy, 32 connections", "throughBare 32"),
    rate("baseline: bare undici proxy, 64 connections", "throughBare 64"),
    rate("baseline: function directly, 32 connections", "direct 32"),
    rate("baseline: function directly, 64 connections", "direct 64"),
    {
      what: "time the gateway adds at one connection, p50",
      ...added("throughGateway 1"),
      goal: { atMost: 0.4 },
    },
    { what: "baseline: time the bare proxy adds, p50", ...added("throughBare 1") },
    {
      what: "function directly at one connection, p50",
      value: of("direct 1", "p50"),
      unit: "ms",
      samples,
    },
  ];
}

type Pushes = { readonly work: TestRepository; readonly url: string; version: number };

async function preparePushes(place: Place): Promise<Pushes> {
  return { ...(await deploy(place, "bob")), version: 1 };
}

async function measurePushes(platform: Platform, pushes: Pushes, { rounds, quick, say }: Options) {
  const durationMs = quick ? 3_000 : 10_000;
  const spec: LoadSpec = {
    target: targetOf(platform),
    path: GATEWAY_PATH,
    connections: 32,
    durationMs,
    rate: STEADY_RATE,
  };
  const [quiet, busy]: [number[], number[]] = [[], []];
  let pushed = 0;
  for (let round = 0; round < rounds; round++) {
    const calm = await runLoad(spec);
    const commits = await makeCommits(pushes, durationMs / 1_000);
    const [loaded, count] = await Promise.all([runLoad(spec), pushEachSecond(pushes, commits)]);
    refuseFailures("quiet", calm);
    refuseFailures("while pushes are built", loaded);
    quiet.push(calm.p99);
    busy.push(loaded.p99);
    pushed += count;
    say(
      `round ${round + 1}/${rounds}: p99 ${calm.p99.toFixed(1)} ms quiet, ${loaded.p99.toFixed(1)} ms busy`,
    );
  }
  return reportPushes(quiet, busy, pushed);
}

/** Beforehand: they are made where somebody works, and only their pushes reach the platform's machine. */
async function makeCommits(pushes: Pushes, count: number): Promise<readonly string[]> {
  const commits: string[] = [];
  for (let at = 0; at < count; at++)
    commits.push(await pushes.work.commit({ "fn/handler.js": answering(`v${++pushes.version}`) }));
  return commits;
}

/** One each second, unless one takes longer than that; answers how many there was time for. */
async function pushEachSecond({ work, url }: Pushes, commits: readonly string[]): Promise<number> {
  const until = performance.now() + commits.length * 1_000;
  let due = performance.now();
  let count = 0;
  for (const commit of commits) {
    if (due >= until) break;
    await sleep(Math.max(0, due - performance.now()));
    await push(work, url, `${commit}:refs/heads/main`);
    due = Math.max(due + 1_000, performance.now());
    count++;
  }
  return count;
}

function reportPushes(
  quiet: readonly number[],
  busy: readonly number[],
  pushed: number,
): Measure[] {
  const samples = quiet.length;
  const [calm, loaded] = [median(quiet), median(busy)];
  return [
    { what: "p99, quiet, median of the rounds", value: calm, unit: "ms", samples },
    {
      what: "p99 while pushes are built, median of the rounds",
      value: loaded,
      unit: "ms",
      samples,
    },
    {
      what: "p99 with pushes, times quiet",
      value: loaded / calm,
      unit: "×",
      samples,
      goal: { atMost: 2 },
    },
    { what: "pushes built meanwhile", value: pushed, unit: "count", samples },
  ];
}

if (import.meta.main) await runAlone(invoke);
