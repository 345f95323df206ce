import type { Ledger } from "#ledger/types/ledger.ts";
import type { Handler } from "#sdk/answer.ts";
import { HttpError } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import type { ObjectStore } from "#sdk/object-store.ts";
import { createBuildLogs } from "./build-logs.ts";
import type { Config } from "./config.ts";
import { createFollow } from "./follow-build.ts";
import { parsePipelineLog } from "./parse-pipeline-log.ts";

/** Everything the handler may touch outside itself. */
export type Tools = {
  readonly config: Config;
  readonly ledger: Pick<
    Ledger,
    | "findBuild"
    | "findDelivery"
    | "findOwner"
    | "findOwnerBySlug"
    | "listOwners"
    | "listRepositories"
    | "listBuilds"
    | "listEvents"
    | "listStatuses"
    | "watch"
  >;
  readonly objects: ObjectStore;
  readonly now?: () => number;
};

/** Keep build logs, answer them, and tell what happens to a build while it happens. */
export function createHandler({ config, ledger, objects, now = Date.now }: Tools): Handler {
  const logs = createBuildLogs({ config, ledger, objects });
  const follow = createFollow({ config, ledger, now });

  return async function handlePipelineLog(request, log) {
    const query = new URL(request.url).searchParams;
    if (request.method === "POST") return store(request, query.get("build") ?? undefined, log);
    if (request.method !== "GET")
      throw new HttpError(405, "method-not-allowed", "pipeline-log takes POST and GET.");
    return query.has("build") || query.has("delivery")
      ? follow(query, request.signal)
      : read(query);
  };

  async function store(request: Request, buildId: string | undefined, log: Log): Promise<Response> {
    const entry = parsePipelineLog(new Uint8Array(await request.arrayBuffer()));
    const { key, bytes } = await logs.store(entry, buildId);
    log.info("build-log-stored", { key, bytes });
    return new Response(`Wrote ${bytes} bytes to ${key}\n`);
  }

  async function read(query: URLSearchParams): Promise<Response> {
    const text = await logs.read({
      repoPath: query.get("repoPath") ?? "",
      sha: query.get("commitSHA") ?? "",
      name: query.get("function") ?? "",
    });
    if (text === undefined)
      throw new HttpError(404, "no-log", "No build log is kept for that function and commit.");
    return new Response(text, { headers: { "content-type": "text/plain; charset=utf-8" } });
  }
}
