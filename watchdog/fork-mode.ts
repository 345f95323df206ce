import type { Env } from "#sdk/env.ts";
import { describe } from "#sdk/errors.ts";
import { answer, type Call, type Invoke } from "./call.ts";
import type { Config } from "./config.ts";
import { readBody } from "./read-body.ts";
import { requestEnvironment } from "./request-environment.ts";
import { type Forked, type ForkTools, runForked } from "./run-forked.ts";

const METHODS: ReadonlySet<string | undefined> = new Set(["GET", "POST", "PUT", "PATCH", "DELETE"]);

/** The classic watchdog: a program per request, its output the answer, its exit code the status. */
export function createForkMode(config: Config, env: Env, tools: ForkTools): Invoke {
  return async (call) => {
    const { request, signal } = call;
    if (!METHODS.has(request.method)) return answer(call, 405, {});
    tools.log.write("Forking fprocess.");
    if (config.debugHeaders) tools.log.write(JSON.stringify(request.headers));
    try {
      const forked = await run(call);
      if (signal.aborted) return answer(call, 408, {}, "Killed process.\n");
      report(call, forked);
      return answerForked(call, forked);
    } catch (error) {
      return answer(call, 500, {}, `${describe(error)}\n`);
    }
  };

  async function run(call: Call): Promise<Forked> {
    return runForked(call, tools, {
      env: config.cgiHeaders
        ? { ...env, ...requestEnvironment(call.request, { classic: true }) }
        : { ...env },
      ...(config.marshalRequest ? { input: await marshal(call) } : {}),
      combineOutput: config.combineOutput,
    });
  }

  /** The second line of each invocation, which clients count. */
  function report(call: Call, { output }: Forked): void {
    const duration = `Duration: ${call.seconds()}s`;
    if (config.writeDebug) tools.log.write(output.toString());
    tools.log.write(config.writeDebug ? duration : `Wrote ${output.length} Bytes - ${duration}`);
  }

  function answerForked(call: Call, { output, failure }: Forked) {
    if (failure !== undefined)
      return answer(call, 500, {}, Buffer.concat([Buffer.from(`${failure}\n`), output]));
    const type = config.contentType || call.request.headers["content-type"];
    return answer(
      call,
      200,
      { "x-duration-seconds": call.seconds(), ...(type ? { "content-type": type } : {}) },
      output,
    );
  }

  async function marshal({ request }: Call): Promise<Uint8Array> {
    const body = await readBody(request, config.maxOutputBytes);
    const raw = body.toString("base64");
    return Buffer.from(JSON.stringify({ header: request.headersDistinct, body: { raw } }));
  }
}
