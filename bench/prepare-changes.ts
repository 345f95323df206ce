import { execFile } from "node:child_process";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { Client } from "undici";
import { answering, stackOf, type TestRepository } from "../test/helpers/repository.ts";
import type { Build, Event, Platform } from "./platform.ts";
import { push } from "./push.ts";
import type { Place } from "./with-platform.ts";

const run = promisify(execFile);
/** Between two questions whether a new version answers; the resolution of the result. */
const POLL_MS = 3;
const LIVE_LIMIT_MS = 60_000;

/** One push of a change, measured. */
export type Sample = {
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

/**
 * A repository of `count` small functions that is live, and changes of the first, or of all, of them.
 * `pollMs` is between two questions whether a new version answers.
 */
export async function prepareChanges(
  { platform, repository }: Place,
  owner: string,
  count: number,
  pollMs = POLL_MS,
) {
  const names = Array.from({ length: count }, (_, at) => `fn${at}`);
  const work = await repository();
  const url = await platform.pushUrl(owner, "bench");
  const bare = await makeBare();
  const functions = Object.fromEntries(names.map((name) => [name, { lang: "node24" }]));
  await work.commit({ "stack.yml": stackOf(functions), ...handlersOf(names, "first") });
  await push(work, url);
  let version = 0;

  return {
    change(all = false): Promise<Sample> {
      const changed = all ? names : names.slice(0, 1);
      return changeOnce(platform, { work, url, bare, owner, changed, pollMs }, `v${++version}`);
    },
    close: () => rm(bare, { recursive: true, force: true }),
  };
}

/** All answer the same and none is the same, so that each is built by itself. */
export function handlersOf(
  names: readonly string[],
  text: string,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    names.map((name) => [`${name}/handler.js`, `// ${name}\n${answering(text)}`]),
  );
}

type Target = {
  readonly work: TestRepository;
  readonly url: string;
  readonly bare: string;
  readonly owner: string;
  /** Functions that the commit changes. */
  readonly changed: readonly string[];
  readonly pollMs: number;
};

async function changeOnce(platform: Platform, target: Target, version: string): Promise<Sample> {
  const { work, url, bare, owner, changed, pollMs } = target;
  const sha = await work.commit(handlersOf(changed, version));
  const barePushMs = await push(work, bare);

  const startedAt = Date.now();
  const services = changed.map((name) => `${owner}-${name}`);
  const live = pollAll(platform.url, services, version, pollMs);
  const pushed = push(work, url).then(async (ms) => ({ ms, build: await findLive(platform, sha) }));
  const [{ ms: pushMs, build }, liveAt] = await Promise.all([pushed, live]);
  const movedAt = await refMovedAt(platform, build);
  const stages = divide(movedAt, build, await platform.events(build.id), liveAt);
  return { liveMs: liveAt - movedAt, pushLiveMs: liveAt - startedAt, pushMs, barePushMs, stages };
}

/** Git tells nobody that a build failed: the commit was taken. */
async function findLive(platform: Platform, sha: string): Promise<Build> {
  const build = (await platform.builds(10)).find((one) => one.sha === sha);
  if (build === undefined) throw new Error(`The platform has no build of ${sha}.`);
  if (build.state !== "live") throw new Error(`The push is ${build.state}: ${build.reason}`);
  return build;
}

async function makeBare(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "ofc-bench-bare-"));
  await run("git", ["init", "--quiet", "--bare", folder]);
  return folder;
}

/**
 * When the last of them answers with this text; Unix milliseconds. One after the other: what all of them
 * were asked meanwhile would take the cores from what is measured.
 */
async function pollAll(
  url: string,
  services: readonly string[],
  text: string,
  pollMs: number,
): Promise<number> {
  let liveAt = 0;
  for (const service of services) liveAt = await pollUntil(url, service, text, pollMs);
  return liveAt;
}

/** Ask every `pollMs` until the function answers 200 with this text; Unix milliseconds. */
async function pollUntil(
  url: string,
  service: string,
  text: string,
  pollMs: number,
): Promise<number> {
  const client = new Client(new URL(url).origin);
  const limit = Date.now() + LIVE_LIMIT_MS;
  try {
    for (;;) {
      const answer = await client.request({ path: `/function/${service}`, method: "GET" });
      const said = await answer.body.text();
      if (answer.statusCode === 200 && said === text) return Date.now();
      if (Date.now() > limit)
        throw new Error(`${service} does not answer "${text}" but "${said}".`);
      await sleep(pollMs);
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
