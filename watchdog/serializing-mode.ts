import type { Env } from "#sdk/env.ts";
import { describe } from "#sdk/errors.ts";
import { answer, type Invoke } from "./call.ts";
import type { Config } from "./config.ts";
import { requestEnvironment } from "./request-environment.ts";
import { type ForkTools, runForked } from "./run-forked.ts";

/** A program per request whose whole output is the answer, or whose failure is a 500. */
export function createSerializingMode(config: Config, env: Env, tools: ForkTools): Invoke {
  return async (call) => {
    try {
      const { output, failure } = await runForked(call, tools, {
        env: { ...env, ...requestEnvironment(call.request, { classic: false }) },
        combineOutput: false,
      });
      if (failure !== undefined) return answer(call, 500, {}, failure);
      const headers = {
        "content-type": config.contentType,
        "x-duration-seconds": call.seconds(),
      };
      return answer(call, 200, headers, output);
    } catch (error) {
      return answer(call, 500, {}, describe(error));
    }
  };
}
