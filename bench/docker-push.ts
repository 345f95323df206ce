import { dockerMissing, startDocker, type TestDocker } from "../test/helpers/start-docker.ts";
import { until } from "../test/helpers/until.ts";
import { type Benchmark, type Measure, runAlone } from "./benchmark.ts";
import { prepareFloor } from "./docker-floor.ts";
import { prepareChanges } from "./prepare-changes.ts";
import { median } from "./statistics.ts";
import { withPlatform } from "./with-platform.ts";

const WARM_UPS = 1;
/** Asked as often as on the process engine, the old version would take cores that the floor has for itself. */
const POLL_MS = 10;

export const dockerPush: Benchmark = {
  name: "docker-push",
  about:
    "A source-only change of a small node24 function on the Docker engine, warm cache: from the moment the forge's ref moved to the first 200 of the new version. The floor is the same work by hand in the same run: git fetch into a mirror, a build of the same context through the Docker API, create and start with the same locks on a network without traffic between containers, first 200.",
  rounds: 10,
  run: ({ rounds, say }) =>
    withDocker(async (docker) => {
      const env = { DOCKER_HOST: `unix://${docker.socketPath}`, function_firewall: "none" };
      return withPlatform({ engine: "docker", env }, async (place) => {
        const one = await prepareChanges(place, "one", 1, POLL_MS);
        const ten = await prepareChanges(place, "ten", 10, POLL_MS);
        const floor = await prepareFloor(docker, await place.repository(), "ofc-floor", 1);
        const floorTen = await prepareFloor(docker, await place.repository(), "ofc-floor-ten", 10);
        const alone = async <T>(measure: () => Promise<T>) => {
          await awaitCalm(docker, 1 + 10 + 1 + 10);
          return measure();
        };
        const seen: Seen[] = [];
        for (let round = -WARM_UPS; round < rounds; round++) {
          const sample = {
            one: (await alone(() => one.change())).liveMs,
            floor: await alone(() => floor.change()),
            ten: (await alone(() => ten.change(true))).liveMs,
            floorTen: await alone(() => floorTen.change()),
          };
          if (round < 0) continue;
          seen.push(sample);
          const words = Object.entries(sample).map(([name, ms]) => `${name} ${Math.round(ms)} ms`);
          say(`${round + 1}/${rounds}: ${words.join(", ")}`);
        }
        await Promise.all([one, ten, floor, floorTen].map((prepared) => prepared.close()));
        return report(seen);
      });
    }),
};

async function withDocker<T>(work: (docker: TestDocker) => Promise<T>): Promise<T> {
  if (dockerMissing !== undefined) throw new Error(dockerMissing);
  const ends: (() => Promise<void>)[] = [];
  try {
    const docker = await startDocker({ teardown: (end) => ends.push(end) });
    await docker.importBase("node:24-alpine", ["node", "npm"]);
    return await work(docker);
  } finally {
    for (const end of ends) await end();
  }
}

/** What was replaced is gone: its end belongs to no measurement. */
async function awaitCalm({ api }: TestDocker, containers: number): Promise<void> {
  await until(async () => (await api.listContainers({ all: true })).length <= containers);
}

/** Milliseconds, of one round. */
type Seen = {
  readonly one: number;
  readonly floor: number;
  readonly ten: number;
  readonly floorTen: number;
};

function report(seen: readonly Seen[]): Measure[] {
  const of = (field: keyof Seen) => median(seen.map((sample) => sample[field]));
  const times = (what: string, field: keyof Seen, other: keyof Seen): Measure => {
    return { what, value: of(field) / of(other), unit: "×", samples };
  };
  const samples = seen.length;
  const ms = (what: string, field: keyof Seen): Measure => {
    return { what: `${what}, p50`, value: of(field), unit: "ms", samples };
  };
  return [
    { ...ms("ref moved to first 200", "one"), goal: { atMost: 700 } },
    ms("baseline: the same by hand", "floor"),
    { ...times("times the baseline", "one", "floor"), goal: { atMost: 1.5 } },
    ms("ten of ten functions changed", "ten"),
    ms("baseline: ten by hand", "floorTen"),
    times("ten changed, times ten by hand", "ten", "floorTen"),
    { ...times("ten changed, times one", "ten", "one"), goal: { atMost: 4 } },
    times("baseline: ten by hand, times one by hand", "floorTen", "floor"),
  ];
}

if (import.meta.main) await runAlone(dockerPush);
