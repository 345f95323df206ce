import { pipeline } from "node:stream/promises";
import type { Env } from "#sdk/env.ts";
import { describe, errorCode } from "#sdk/errors.ts";
import { answer, type Call, type Invoke } from "./call.ts";
import { waitForEnd } from "./child.ts";
import type { Config } from "./config.ts";
import { requestEnvironment } from "./request-environment.ts";
import { type ForkTools, startForCall } from "./run-forked.ts";

/**
 * A program per request, wired to the connection in both directions. The status is 200 whatever the
 * program's exit code; at the deadline an answer not begun is 504, one under way is cut off.
 */
export function createStreamingMode(config: Config, env: Env, tools: ForkTools): Invoke {
  return async (call) => {
    try {
      await stream(call);
    } catch (error) {
      answer(call, 500, {}, describe(error));
    }
  };

  async function stream(call: Call): Promise<void> {
    const { children, command, log } = tools;
    const child = startForCall(call, command, children, {
      ...env,
      ...requestEnvironment(call.request, { classic: false }),
    });
    call.request.pipe(child.stdin);
    log.copy("stderr", child.stderr);
    call.response.statusCode = 200;
    call.response.setHeader("content-type", config.contentType);
    const [failure] = await Promise.all([
      waitForEnd(child, children),
      pipeline(child.stdout, call.response, { end: false }).catch(ignoreGone),
    ]);
    if (failure !== undefined) log.write(`The function's process ended (${failure}).`);
    finish(call);
  }
}

function finish(call: Call): void {
  if (!call.signal.aborted) call.response.end();
  else if (call.response.headersSent) call.response.destroy();
  else answer(call, 504, { "x-openfaas-internal": "of-watchdog" });
}

/** A client that went away has ended the program already. */
function ignoreGone(error: unknown): void {
  if (errorCode(error) !== "ERR_STREAM_PREMATURE_CLOSE" && errorCode(error) !== "EPIPE")
    throw error;
}
