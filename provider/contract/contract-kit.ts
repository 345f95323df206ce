import { request } from "node:http";
import type { ExecutionContext, TestFn } from "ava";
import { HttpError } from "#sdk/errors.ts";
import { labels } from "#sdk/labels.ts";
import type { FunctionDeployment } from "#sdk/messages.ts";
import type { Engine } from "../provider.ts";
import { createTurns } from "../turns.ts";

/** What an engine brings to be tested; `image` runs `test-function/main.mjs`. */
export type EngineUnderTest = {
  readonly engine: Engine;
  readonly image: string;
  /** Close the engine and open the same data again. */
  reopen(): Promise<Engine>;
  /** End everything and remove the data. */
  dispose(): Promise<void>;
};

/** Limits the suite counts on, in milliseconds; an engine under test is opened with them. */
export const contractTimes = {
  healthDeadlineMs: 10_000,
  drainMs: 1_200,
  watchMs: 6_000,
  graceMs: 100,
  versionIdleMs: 8_000,
  versionsAwake: 2,
} as const;

/** Declare one test of the contract. */
export type Check = (
  title: string,
  run: (t: ExecutionContext, under: EngineUnderTest) => Promise<void>,
) => void;

/** Declare a test on an engine of its own. */
export function createCheck(test: TestFn, open: () => Promise<EngineUnderTest>): Check {
  // Mostly waiting: a few at once do not disturb each other.
  const inTurn = createTurns(3);
  return (title, run) =>
    test(title, (t) =>
      inTurn(async () => {
        const under = await open();
        try {
          await run(t, under);
        } finally {
          await under.dispose();
        }
      }),
    );
}

/** A deployment of `fn` with a release and a fence, as the pipeline makes it. */
export function released(
  image: string,
  release: string,
  fence: number,
  version: string,
  envVars: Readonly<Record<string, string>> = {},
): FunctionDeployment {
  return {
    service: "fn",
    image,
    envVars: { version, ...envVars },
    labels: { [labels.release]: release, [labels.fence]: String(fence) },
  };
}

export function endpointsOf(engine: Engine, name: string): readonly string[] {
  return engine.endpoints().find((one) => one.name === name)?.endpoints ?? [];
}

/** Call a function at one of its endpoints, as a gateway does; throws unless it answers 200. */
export async function call(engine: Engine, name: string, path = "/"): Promise<string> {
  const [endpoint] = endpointsOf(engine, name);
  if (endpoint === undefined) throw new Error(`${name} has no endpoint`);
  return callEndpoint(endpoint, path);
}

export function callEndpoint(endpoint: string, path: string): Promise<string> {
  const target = endpoint.startsWith("unix:")
    ? { socketPath: endpoint.slice("unix:".length), path }
    : { host: new URL(endpoint).hostname, port: new URL(endpoint).port, path };
  return new Promise((resolve, reject) => {
    const asked = request({ ...target, agent: false }, async (answer) => {
      try {
        const chunks: Buffer[] = [];
        for await (const chunk of answer) chunks.push(chunk);
        const text = Buffer.concat(chunks).toString("utf8");
        if (answer.statusCode === 200) resolve(text);
        else reject(new Error(`${path} answered ${answer.statusCode}: ${text}`));
      } catch (error) {
        reject(error);
      }
    });
    asked.on("error", reject);
    asked.end();
  });
}

/** The failure of work that must fail. */
export async function failure(work: Promise<unknown>): Promise<HttpError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof HttpError) return error;
    throw error;
  }
  throw new Error("It succeeded; a failure was expected.");
}

export function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("It is not there.");
  return value;
}
