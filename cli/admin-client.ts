import { readFile } from "node:fs/promises";
import { Agent, fetch, type Response } from "undici";
import { z } from "zod";
import { describe, errorCode } from "#sdk/errors.ts";
import { tryJson } from "#sdk/try-json.ts";
import { runningFile } from "./running-file.ts";

/** What is in `runningFile`. */
const RUNNING = z.object({ pid: z.number().int(), url: z.string(), socket: z.string() });
type Running = z.infer<typeof RUNNING>;

export type AdminClient = {
  readonly running: Running;
  /** The parsed JSON answer; a refusal becomes an Error with its message. */
  get<T>(path: string, schema: z.ZodType<T>): Promise<T>;
  post<T>(path: string, body: unknown, schema: z.ZodType<T>): Promise<T>;
  /** Lines of a streamed answer as they come. */
  lines(path: string, signal?: AbortSignal): AsyncIterable<string>;
};

/** Talk to the platform that runs on a data folder; an Error says how to start one when none does. */
export async function connectAdmin(dataFolder: string): Promise<AdminClient> {
  const running = await findRunning(dataFolder);
  const dispatcher = new Agent({
    connect: { socketPath: running.socket },
    headersTimeout: 0,
    bodyTimeout: 0,
  });

  return {
    running,
    get: async (path, schema) => read(await send(path), path, schema),
    post: async (path, body, schema) =>
      read(await send(path, { method: "POST", body: JSON.stringify(body) }), path, schema),
    async *lines(path, signal) {
      const response = await send(path, signal === undefined ? {} : { signal });
      let rest = "";
      for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
        const parts = (rest + chunk).split("\n");
        rest = parts.pop() ?? "";
        yield* parts;
      }
      if (rest !== "") yield rest;
    },
  };

  async function send(
    path: string,
    init: { method?: string; body?: string; signal?: AbortSignal } = {},
  ): Promise<Response> {
    const response = await fetch(`http://admin${path}`, { ...init, dispatcher }).catch(
      (error: unknown) => {
        throw new Error(
          `The platform on ${dataFolder} does not answer (${describe(error)}); is it stopping? Start it with: ./ofc up`,
        );
      },
    );
    if (response.ok) return response;
    const answer = z
      .object({ message: z.string() })
      .safeParse(await response.json().catch(() => undefined));
    throw new Error(
      answer.success ? answer.data.message : `The platform answered ${response.status} to ${path}.`,
    );
  }
}

async function read<T>(response: Response, path: string, schema: z.ZodType<T>): Promise<T> {
  const answer = schema.safeParse(await response.json());
  if (answer.success) return answer.data;
  throw new Error(
    `The running platform's answer to ${path} has another shape; is it of another release? Restart it.`,
    { cause: answer.error },
  );
}

async function findRunning(dataFolder: string): Promise<Running> {
  const file = runningFile(dataFolder);
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    if (errorCode(error) === "ENOENT") return "";
    throw new Error(`${file} cannot be read; commands run as the platform's user`, {
      cause: error,
    });
  });
  const running = RUNNING.safeParse(tryJson(text)).data;
  if (running === undefined || !isAlive(running.pid)) {
    throw new Error(
      `No platform runs on ${dataFolder}. Start one with: ./ofc up (or name its folder with --data DIR)`,
    );
  }
  return running;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives, under another user.
    return errorCode(error) === "EPERM";
  }
}
