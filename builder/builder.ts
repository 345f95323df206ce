import { createHash, randomUUID } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Handler } from "#sdk/answer.ts";
import type { Env } from "#sdk/env.ts";
import { HttpError } from "#sdk/errors.ts";
import { createNonceMemory, type PayloadKey } from "#sdk/internal-signature.ts";
import type { Log } from "#sdk/log.ts";
import type { BuildLine } from "#sdk/messages.ts";
import { readTemplates } from "#sdk/templates.ts";
import { answerBuild } from "./answer-build.ts";
import { createBuildSlots } from "./build-slots.ts";
import { type ArtifactStore, createArtifactStore } from "./host/artifact-store.ts";
import { type ReceivedBuild, receiveBuild } from "./receive-build.ts";
import { type RunTools, runBuild } from "./run-build.ts";
import { type BuilderSettings, DEFAULT_SETTINGS } from "./settings.ts";
import { toolEnvironment } from "./tool-environment.ts";

export type BuilderTools = {
  /** Artefacts go to `artifacts/`, everything else to `builder/` in it. */
  readonly dataFolder: string;
  /** Folder that holds one folder per template; this tree's own when absent. */
  readonly templatesFolder?: string;
  /** Accepted for `X-Cloud-Signature`; their secrets also for faas-cli's `X-Build-Signature`. */
  readonly keys: readonly PayloadKey[];
  /** The platform's environment; only paths, proxies and certificates of it reach npm and pip. */
  readonly env: Env;
  readonly settings?: Partial<BuilderSettings>;
  readonly log: Log;
};

export type Builder = {
  readonly handler: Handler;
  readonly artifacts: ArtifactStore;
  /** Ends what is being built and resolves when nothing of it is left. */
  close(): Promise<void>;
};

/** The builder API of spec/faas-cli.md section 8, building artefacts for the process engine. */
export function createBuilder(tools: BuilderTools): Builder {
  const settings = { ...DEFAULT_SETTINGS, ...tools.settings };
  if (tools.keys.length === 0 || tools.keys.some(({ secret }) => secret === ""))
    throw new Error("The payload secret is empty; refusing to verify anything with it.");
  const home = join(tools.dataFolder, "builder");
  const artifacts = createArtifactStore(join(tools.dataFolder, "artifacts"));
  const receiving = {
    keys: tools.keys,
    nonces: createNonceMemory(),
    maxBytes: settings.maxContextBytes,
  };
  const slots = createBuildSlots(
    settings.concurrency,
    settings.maxWaiting,
    settings.ownerConcurrency,
  );
  const closing = new AbortController();
  const running = new Set<Promise<unknown>>();
  const ready = prepare();
  ready.catch((error: unknown) =>
    tools.log.error("builder-start-failed", { error: String(error) }),
  );

  return {
    artifacts,
    handler: async (request, log) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/healthz") return answerHealth(request);
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
      await Promise.allSettled(running);
    },
  };

  /** Work folders of a process that died are of no use to anyone. */
  async function prepare() {
    await rm(join(home, "work"), { recursive: true, force: true });
    await mkdir(join(home, "work"), { recursive: true, mode: 0o700 });
    return { templates: await readTemplates(tools.templatesFolder) };
  }

  async function build(request: Request, log: Log): Promise<Response> {
    slots.refuseWhenFull();
    const { templates } = await ready;
    const work = join(home, "work", randomUUID());
    await mkdir(work);
    try {
      const received = await receiveBuild(request, join(work, "body.tar"), receiving);
      return await answerBuild(request, settings, closing.signal, (sink, signal) =>
        track(
          buildIn(work, received, {
            settings,
            slots,
            sink,
            signal,
            templates,
            artifacts,
            env: toolEnvironment(tools.env, work),
            cacheFolder: (owner) => join(home, "cache", nameOf(owner)),
            log,
          }),
        ),
      );
    } catch (error) {
      await removeWork(work);
      throw error;
    }
  }

  function track<T>(one: Promise<T>): Promise<T> {
    running.add(one);
    const done = () => running.delete(one);
    one.then(done, done);
    return one;
  }
}

async function buildIn(work: string, received: ReceivedBuild, tools: RunTools): Promise<BuildLine> {
  try {
    return await runBuild(received, work, tools);
  } finally {
    await removeWork(work);
  }
}

function removeWork(work: string): Promise<void> {
  return rm(work, { recursive: true, force: true, maxRetries: 3 });
}

function answerHealth({ method }: Request): Response {
  return method === "GET" ? new Response("OK") : new Response(null, { status: 405 });
}

/** A folder name that says nothing and cannot climb. */
function nameOf(owner: string): string {
  return createHash("sha256").update(owner).digest("hex").slice(0, 32);
}
