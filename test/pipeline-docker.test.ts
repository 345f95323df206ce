import test from "ava";
import { dockerEnv, listContainers } from "./helpers/docker-platform.ts";
import { dockerMissing, startDocker, type TestDocker } from "./helpers/start-docker.ts";
import { importTemplateBases } from "./helpers/template-bases.ts";
import { testRoad } from "./helpers/test-road.ts";

let docker: TestDocker | undefined;

testRoad(
  test,
  {
    name: "docker",
    engine: "docker",
    async prepare(t) {
      docker = await startDocker(t);
      await importTemplateBases(docker);
      return dockerEnv(docker);
    },
    listServing: async (dataFolder) =>
      docker === undefined
        ? []
        : (await listContainers(docker, dataFolder)).map(({ service }) => service),
  },
  dockerMissing,
);
