import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { Readable } from "node:stream";
import { type Pack, pack } from "tar-stream";
import { dockerMissing, startDocker, type TestDocker } from "../test/helpers/start-docker.ts";
import { type Benchmark, type Measure, runAlone } from "./benchmark.ts";
import { type DockerBuild, findDockerBuild } from "./docker-build.ts";
import { type BenchBuilder, startBuilder } from "./start-builder.ts";
import { median } from "./statistics.ts";

const MIB = 1024 ** 2;
const LARGE_MIB = 200;
const WARM_UPS = 2;
/** Rebuilds of each kind in a round: they are short, and differ by what the machine does beside them. */
const PAIRS = 3;
const BASE = "bench.test/base:1";

/** As many files as a small application has, of about 2 KB. */
const APP = Object.fromEntries(
  Array.from({ length: 63 }, (_, index) => [`lib/${index}.js`, `// ${index}\n`.repeat(250)]),
);
const DOCKERFILE = `FROM ${BASE}\nWORKDIR /app\nCOPY lib/ lib/\nRUN ls lib > list\nCOPY index.js .\n`;

type Files = Readonly<Record<string, string | Buffer>>;

export const dockerContext: Benchmark = {
  name: "docker-context",
  about:
    "Build contexts on their way through the image builder, which is a process of its own here: how far its memory grows over a context of 200 MiB that cannot be compressed, and how long a small application takes of which one file changed, beside `docker build` with the same tar on its standard input.",
  rounds: 10,
  run: ({ rounds, say }) =>
    withDocker(async ({ socketPath }) => {
      const dockerBuild = await findDockerBuild(socketPath, () =>
        packFiles({ Dockerfile: `FROM ${BASE}\n` }),
      );
      const rebuilds = await withBuilder(socketPath, (builder) =>
        measureRebuilds(dockerBuild, builder, PAIRS * rounds),
      );
      const grown: Growth[] = [];
      for (let round = 0; round < rounds; round++) {
        const growth = await withBuilder(socketPath, measureGrowth);
        grown.push(growth);
        const words = Object.values(growth).map((bytes) => `${Math.round(bytes / 1e6)} MB`);
        say(`${round + 1}/${rounds}: ${LARGE_MIB} MiB twice: ${words.join(", ")} more`);
      }
      return [...report(rebuilds), ...reportGrowth(grown)];
    }),
};

async function withDocker<T>(work: (docker: TestDocker) => Promise<T>): Promise<T> {
  if (dockerMissing !== undefined) throw new Error(dockerMissing);
  const ends: (() => Promise<void>)[] = [];
  try {
    const docker = await startDocker({ teardown: (end) => ends.unshift(end) });
    await docker.importBase(BASE);
    return await work(docker);
  } finally {
    for (const end of ends) await end();
  }
}

async function withBuilder<T>(
  docker: string,
  work: (builder: BenchBuilder) => Promise<T>,
): Promise<T> {
  const builder = await startBuilder(docker, 2 * LARGE_MIB * MIB);
  try {
    return await work(builder);
  } finally {
    await builder.close();
  }
}

type Rebuild = { readonly ours: number; readonly theirs: number };

/** In turns, and each first in its turn as often; each with a change that nobody has built before. */
async function measureRebuilds(
  dockerBuild: DockerBuild,
  builder: BenchBuilder,
  rounds: number,
): Promise<readonly Rebuild[]> {
  let version = 0;
  const next = (): Files => ({ Dockerfile: DOCKERFILE, ...APP, "index.js": `// ${++version}` });
  const seen: Rebuild[] = [];
  for (let round = -WARM_UPS; round < rounds; round++) {
    const [mine, other] = [next(), next()];
    const build = () => time(() => builder.build(packForBuilder(mine)));
    const before = round % 2 === 0 ? await build() : undefined;
    const theirs = await time(() => dockerBuild(packFiles(other)));
    const ours = before ?? (await build());
    if (round >= 0) seen.push({ ours, theirs });
  }
  return seen;
}

async function time(work: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

type Growth = { readonly first: number; readonly second: number };

/** Over two large contexts of a new builder, the first of which meets a heap that has not grown yet. */
async function measureGrowth(builder: BenchBuilder): Promise<Growth> {
  return { first: await growOnce(builder), second: await growOnce(builder) };
}

/** Bytes between what it holds before a large context and the most it held during it. */
async function growOnce({ pid, build }: BenchBuilder): Promise<number> {
  const before = await readStatus(pid, "VmRSS");
  // From here on the peak is counted anew.
  await writeFile(`/proc/${pid}/clear_refs`, "5");
  await build(packForBuilder({ Dockerfile: `FROM ${BASE}\nCOPY 0 /\n` }, LARGE_MIB));
  return (await readStatus(pid, "VmHWM")) - before;
}

async function readStatus(pid: number, field: "VmRSS" | "VmHWM"): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]) * 1024;
}

/** Settings first, then the context, and so many MiB of noise behind it. */
function packForBuilder(files: Files, noiseMib = 0): AsyncIterable<Uint8Array> {
  const config = JSON.stringify({ v: 1, image: "ofc.local/bench/bench/bench:1" });
  const inside = Object.entries(files).map(([path, text]) => [`context/${path}`, text] as const);
  return packFiles(
    { "com.openfaas.docker.config": config, ...Object.fromEntries(inside) },
    noiseMib,
  );
}

function packFiles(files: Files, noiseMib = 0): AsyncIterable<Uint8Array> {
  const tar = pack();
  fill(tar, files, noiseMib).then(
    () => tar.finalize(),
    (error: unknown) => tar.destroy(error instanceof Error ? error : new Error(String(error))),
  );
  return Readable.from(tar, { objectMode: false });
}

async function fill(tar: Pack, files: Files, noiseMib: number): Promise<void> {
  const add = (name: string, content: string | Buffer) =>
    new Promise<void>((resolve, reject) =>
      tar.entry({ name }, content, (error) => (error ? reject(error) : resolve())),
    );
  for (const [name, content] of Object.entries(files)) await add(name, content);
  for (let at = 0; at < noiseMib; at++) await add(`context/${at}`, randomBytes(MIB));
}

function report(seen: readonly Rebuild[]): Measure[] {
  const samples = seen.length;
  const ours = median(seen.map((sample) => sample.ours));
  const theirs = median(seen.map((sample) => sample.theirs));
  return [
    { what: "one file changed, through the builder, p50", value: ours, unit: "ms", samples },
    { what: "baseline: docker build, p50", value: theirs, unit: "ms", samples },
    {
      what: "times docker build",
      value: ours / theirs,
      unit: "×",
      samples,
      goal: { atMost: 1 },
    },
  ];
}

function reportGrowth(grown: readonly Growth[]): Measure[] {
  const what = `memory of a new builder, more over a context of ${LARGE_MIB} MiB`;
  const measure = (name: string, bytes: readonly number[]): Measure => ({
    what: `${what}, ${name}, p50`,
    value: median(bytes) / 1e6,
    unit: "MB",
    samples: bytes.length,
    goal: { atMost: 64 },
  });
  return [
    measure(
      "the first",
      grown.map(({ first }) => first),
    ),
    measure(
      "the second",
      grown.map(({ second }) => second),
    ),
  ];
}

if (import.meta.main) await runAlone(dockerContext);
