import { z } from "zod";
import { formatRepository, formatTime, formatUser, nodeId } from "../shapes.ts";
import type { Repository } from "../store/repositories.ts";
import { type CommitStatus, STATUS_STATES } from "../store/statuses.ts";
import type { ApiContext, ApiTools } from "./api-tools.ts";
import { createFindCommit } from "./find-commit.ts";
import { unprocessable } from "./github-error.ts";
import { paginate } from "./pages.ts";
import { readBody } from "./read-body.ts";

/** GitHub's limit for one context of one commit. */
const MAX_STATUSES = 1000;

const StatusRequest = z.object({
  state: z.enum(STATUS_STATES),
  description: z.string().max(140, "is too long (maximum is 140 characters)").nullish(),
  context: z.string().min(1).max(255).default("default"),
  target_url: z.union([z.literal(""), z.url({ protocol: /^https?$/ }).max(2048)]).nullish(),
});

export function createStatusRoutes(tools: ApiTools) {
  const { links, statuses, deliveries } = tools;
  const findCommit = createFindCommit(tools);
  return { create, list, showCombined };

  async function create(context: ApiContext, repository: Repository): Promise<Response> {
    const sha = await findSha(repository, context.req.param("sha") ?? "");
    const body = await readBody(context.req.raw, StatusRequest);
    if (statuses.countOf(repository.id, sha, body.context) >= MAX_STATUSES) {
      throw unprocessable("This SHA and context has reached the maximum number of statuses.");
    }
    const status = await statuses.add(repository.id, {
      sha,
      context: body.context,
      state: body.state,
      description: body.description ?? null,
      targetUrl: body.target_url || null,
    });
    return context.json(formatStatus(status, repository), 201);
  }

  async function list(context: ApiContext, repository: Repository): Promise<Response> {
    const sha = await findSha(repository, context.req.param("ref") ?? "");
    const { items, headers } = paginate(statuses.list(repository.id, sha), context.req.url);
    return context.json(
      items.map((status) => formatStatus(status, repository)),
      200,
      headers,
    );
  }

  async function showCombined(context: ApiContext, repository: Repository): Promise<Response> {
    const sha = await findSha(repository, context.req.param("ref") ?? "");
    const newest = newestOfEach(statuses.list(repository.id, sha));
    const { items, headers } = paginate(newest, context.req.url);
    const url = `${links.repository(repository.owner, repository.name)}/commits/${sha}`;
    const combined = {
      state: combineStates(newest),
      statuses: items.map((status) => formatStatus(status, repository)),
      sha,
      total_count: newest.length,
      repository: formatRepository(repository, links),
      commit_url: url,
      url: `${url}/status`,
    };
    return context.json(combined, 200, headers);
  }

  /** Git is asked where nobody knows: a branch's head is a commit, and one that has a status was there. */
  async function findSha(repository: Repository, ref: string): Promise<string> {
    if (statuses.isKnown(repository.id, ref)) return ref;
    if (deliveries.isBranchHead(repository.id, ref)) return ref;
    return (await findCommit(repository, ref)).sha;
  }

  function formatStatus(status: CommitStatus, repository: Repository) {
    const api = links.repository(repository.owner, repository.name);
    return {
      url: `${api}/statuses/${status.sha}`,
      avatar_url: null,
      id: status.id,
      node_id: nodeId("StatusContext", status.id),
      state: status.state,
      description: status.description,
      target_url: status.targetUrl,
      context: status.context,
      created_at: formatTime(status.createdAt),
      updated_at: formatTime(status.createdAt),
      creator: formatUser(repository.owner, links),
    };
  }
}

function newestOfEach(newestFirst: readonly CommitStatus[]): CommitStatus[] {
  const byContext = new Map<string, CommitStatus>();
  for (const status of newestFirst) {
    if (!byContext.has(status.context)) byContext.set(status.context, status);
  }
  return [...byContext.values()];
}

/** Any failure fails, all successes succeed, everything else (and nothing at all) is pending. */
function combineStates(statuses: readonly CommitStatus[]): "failure" | "pending" | "success" {
  if (statuses.some(({ state }) => state === "failure" || state === "error")) return "failure";
  const done = statuses.length > 0 && statuses.every(({ state }) => state === "success");
  return done ? "success" : "pending";
}
