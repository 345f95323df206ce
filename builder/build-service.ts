import { randomUUID } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Handler } from "#sdk/answer.ts";
import { HttpError } from "#sdk/errors.ts";
import { createNonceMemory, type PayloadKey } from "#sdk/internal-signature.ts";
import type { Log } from "#sdk/log.ts";
import type { BuildLine } from "#sdk/messages.ts";
import { answerBuild } from "./answer-build.ts";
import { createBuildSlots } from "./build-slots.ts";
import { receiveBuild } from "./receive-build.ts";
import { type Build, runBuild } from "./run-build.ts";
import type { PublicBuildKey } from "./secrets/build-key.ts";
import type { BuilderSettings } from "./settings.ts";
import { createSpool } from "./spool-body.ts";

export type { Build, BuildJob } from "./run-build.ts";

export type ServiceTools = {
  /** Folder of its own; `work/` in it is emptied at the start. */
  readonly home: string;
  /** Accepted for `X-Cloud-Signature`; their secrets also for faas-cli's `X-Build-Signature`. */
  readonly keys: readonly PayloadKey[];
  readonly settings: BuilderSettings;
  readonly build: Build;
  /** What build secrets are sealed for; absent where nothing could read them. */
  readonly publicKey?: PublicBuildKey;
  /** Rejects, with what to do, when nothing can be built now. */
  readonly checkHealth: () => Promise<void>;
  readonly log: Log;
};

export type BuildService = {
  readonly handler: Handler;
  /** Ends what is being built and resolves when nothing of it is left. */
  close(): Promise<void>;
};

/** The builder API of spec/faas-cli.md section 8 around whatever builds: verify, wait for a turn, stream, limit. */
export function createBuildService(tools: ServiceTools): BuildService {
  const { home, keys, settings } = tools;
  if (keys.length === 0 || keys.some(({ secret }) => secret === ""))
    throw new Error("The payload secret is empty; refusing to verify anything with it.");
  const spoolBody = createSpool({
    maxBytes: settings.maxContextBytes,
    maxMs: settings.buildTimeoutMs,
    maxSpools: settings.maxSpools,
  });
  const receiving = { keys, nonces: createNonceMemory(), spoolBody };
  const slots = createBuildSlots(
    settings.concurrency,
    settings.maxWaiting,
    settings.ownerConcurrency,
  );
  const closing = new AbortController();
  // With its request, whose signal would otherwise be collected, and nobody hear of a caller who leaves.
  const running = new Map<Promise<unknown>, Request>();
  const ready = prepare();
  ready.catch((error: unknown) =>
    tools.log.error("builder-start-failed", { error: String(error) }),
  );

  return {
    async handler(request, log) {
      const { pathname } = new URL(request.url);
      if (pathname === "/healthz") return answerHealth(request);
      if (pathname === "/publickey") return answerPublicKey(request);
      if (pathname !== "/build" && pathname !== "/")
        throw new HttpError(404, "not-found", `${pathname} is not here; POST /build is.`);
      if (request.method !== "POST")
        throw new HttpError(405, "method-not-allowed", "A build is sent with POST.");
      return build(request, log);
    },
    async close() {
      closing.abort(
        new HttpError(503, "closing", "The builder is stopping; send the build again."),
      );
      await Promise.allSettled(running.keys());
    },
  };

  /** Work folders of a process that died are of no use to anyone. */
  async function prepare(): Promise<void> {
    await rm(join(home, "work"), { recursive: true, force: true });
    await mkdir(join(home, "work"), { recursive: true, mode: 0o700 });
  }

  async function answerHealth({ method }: Request): Promise<Response> {
    if (method !== "GET") return new Response(null, { status: 405 });
    await tools.checkHealth();
    return new Response("OK");
  }

  /** Anyone may ask: it seals, and opens nothing. */
  function answerPublicKey({ method }: Request): Response {
    if (method !== "GET") return new Response(null, { status: 405 });
    if (tools.publicKey !== undefined) return Response.json(tools.publicKey);
    throw new HttpError(
      404,
      "needs-container-engine",
      "Build secrets need an engine with BuildKit; this machine builds without containers.",
    );
  }

  async function build(request: Request, log: Log): Promise<Response> {
    slots.refuseWhenFull();
    await ready;
    const work = join(home, "work", randomUUID());
    await mkdir(work);
    try {
      const received = await receiveBuild(request, join(work, "body.tar"), receiving);
      return await answerBuild(request, settings, closing.signal, (sink, signal) =>
        track(
          buildIn(work, { build: tools.build, received, settings, slots, sink, signal, log }),
          request,
        ),
      );
    } catch (error) {
      await removeWork(work);
      throw error;
    }
  }

  function track<T>(one: Promise<T>, request: Request): Promise<T> {
    running.set(one, request);
    const done = () => running.delete(one);
    one.then(done, done);
    return one;
  }
}

async function buildIn(
  work: string,
  run: Omit<Parameters<typeof runBuild>[0], "work">,
): Promise<BuildLine> {
  try {
    return await runBuild({ ...run, work });
  } finally {
    await removeWork(work);
  }
}

function removeWork(work: string): Promise<void> {
  return rm(work, { recursive: true, force: true, maxRetries: 3 });
}
