import test from "ava";
import { dockerEnv } from "../helpers/docker-platform.ts";
import { dockerMissing, startDocker, type TestDocker } from "../helpers/start-docker.ts";
import { importTemplateBases } from "../helpers/template-bases.ts";
import { testDowntime } from "./downtime-cases.ts";

const stops: (() => Promise<void>)[] = [];
let docker: TestDocker | undefined;

test.after.always(async () => {
  for (const stop of stops.toReversed()) await stop();
});

if (dockerMissing !== undefined)
  test.skip(`downtime on Docker is not tested: ${dockerMissing}`, () => {});
else
  testDowntime(test, {
    name: "docker",
    async openPlatform() {
      docker ??= await openDocker();
      return { engine: "docker", env: dockerEnv(docker) };
    },
  });

async function openDocker(): Promise<TestDocker> {
  const started = await startDocker({ teardown: (stop) => stops.push(stop) });
  await importTemplateBases(started);
  return started;
}
