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
        const floor = await prepareFloor(docker, await place.repository());
        const alone = async <T>(measure: () => Promise<T>) => {
          await awaitCalm(docker, 1 + 10 + 1);
          return measure();
        };
        const seen: { one: number; ten: number; floor: number }[] = [];
        for (let round = -WARM_UPS; round < rounds; round++) {
          const sample = {
            one: (await alone(() => one.change())).liveMs,
            floor: await alone(() => floor.change()),
            ten: (await alone(() => ten.change(true))).liveMs,
          };
          if (round < 0) continue;
          seen.push(sample);
          const words = Object.entries(sample).map(([name, ms]) => `${name} ${Math.round(ms)} ms`);
          say(`${round + 1}/${rounds}: ${words.join(", ")}`);
        }
        await Promise.all([one, ten, floor].map((prepared) => prepared.close()));
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

function report(
  seen: readonly { readonly one: number; readonly ten: number; readonly floor: number }[],
): Measure[] {
  const samples = seen.length;
  const [one, ten, floor] = (["one", "ten", "floor"] as const).map((name) =>
    median(seen.map((sample) => sample[name])),
  ) as [number, number, number];
  return [
    { what: "ref moved to first 200, p50", value: one, unit: "ms", samples, goal: { atMost: 700 } },
    { what: "baseline: the same by hand, p50", value: floor, unit: "ms", samples },
    { what: "times the baseline", value: one / floor, unit: "×", samples, goal: { atMost: 1.5 } },
    { what: "ten of ten functions changed, p50", value: ten, unit: "ms", samples },
    { what: "ten changed, times one", value: ten / one, unit: "×", samples, goal: { atMost: 4 } },
  ];
}

if (import.meta.main) await runAlone(dockerPush);
