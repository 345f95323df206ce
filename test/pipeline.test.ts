import test from "ava";
import { hasProgram } from "./helpers/has-program.ts";
import { testRoad } from "./helpers/test-road.ts";

const hasRedis = hasProgram("redis-server");

for (const name of ["redis", "embedded"] as const)
  testRoad(
    test,
    {
      name,
      engine: "process",
      prepare: async () => ({
        queue_backend: name === "redis" ? "auto" : "embedded",
        process_engine_runs_strangers_code: "true",
      }),
      listServing: async () => [],
      onlyQueue: name === "embedded" && hasRedis,
    },
    name === "redis" && !hasRedis ? "redis-server is not on the PATH" : undefined,
  );
