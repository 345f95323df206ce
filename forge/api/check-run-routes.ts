import { z } from "zod";
import { formatTime, nodeId } from "../shapes.ts";
import {
  CHECK_CONCLUSIONS,
  CHECK_STATUSES,
  type CheckOutput,
  type CheckRun,
} from "../store/check-runs.ts";
import type { Repository } from "../store/repositories.ts";
import type { ApiContext, ApiTools } from "./api-tools.ts";
import { readId } from "./app-routes.ts";
import { createFindCommit } from "./find-commit.ts";
import { notFound, unprocessable } from "./github-error.ts";
import { paginate } from "./pages.ts";
import { readBody } from "./read-body.ts";

const time = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text));
const text = z.string().max(65_535, "is too long (maximum is 65535 characters)");
const Change = z.object({
  name: z.string().min(1).max(255).optional(),
  details_url: z
    .url({ protocol: /^https?$/ })
    .max(2048)
    .optional(),
  external_id: z.string().max(255).optional(),
  status: z.enum(CHECK_STATUSES).optional(),
  conclusion: z.enum(CHECK_CONCLUSIONS).optional(),
  started_at: time.optional(),
  completed_at: time.optional(),
  output: z
    .object({
      title: z.string().max(255).optional(),
      summary: text.optional(),
      text: text.optional(),
    })
    .optional(),
});
const New = Change.extend({
  name: z.string().min(1).max(255),
  head_sha: z.string().regex(/^[0-9a-f]{40}$/, "must be 40 hex digits"),
});
type Change = z.infer<typeof Change>;

const NO_OUTPUT: CheckOutput = { title: null, summary: null, text: null };

export function createCheckRunRoutes(tools: ApiTools) {
  const { links, checkRuns, appId, now } = tools;
  const findCommit = createFindCommit(tools);
  return { create, update, show, list };

  async function create(context: ApiContext, repository: Repository): Promise<Response> {
    const body = await readBody(context.req.raw, New);
    const { sha } = await findCommit(repository, body.head_sha);
    const fresh = {
      repositoryId: repository.id,
      sha,
      name: body.name,
      status: "queued",
      conclusion: null,
      detailsUrl: null,
      externalId: "",
      output: NO_OUTPUT,
      startedAt: null,
      completedAt: null,
    } as const;
    return context.json(formatRun(checkRuns.add(apply(fresh, body)), repository), 201);
  }

  async function update(context: ApiContext, repository: Repository): Promise<Response> {
    const run = find(context, repository);
    const changed = { ...apply(run, await readBody(context.req.raw, Change)), id: run.id };
    checkRuns.update(changed);
    return context.json(formatRun(changed, repository));
  }

  function show(context: ApiContext, repository: Repository): Response {
    return context.json(formatRun(find(context, repository), repository));
  }

  /** `filter=latest` (the default) keeps the newest run of each name. */
  async function list(context: ApiContext, repository: Repository): Promise<Response> {
    const { sha } = await findCommit(repository, context.req.param("ref") ?? "");
    const { check_name: name, status, filter = "latest" } = context.req.query();
    const all = checkRuns
      .list(repository.id, sha)
      .filter((run) => name === undefined || run.name === name)
      .filter((run) => status === undefined || run.status === status);
    const chosen =
      filter === "all"
        ? all
        : all.filter((run, at) => all.findIndex((one) => one.name === run.name) === at);
    const { items, headers } = paginate(chosen, context.req.url);
    const runs = items.map((run) => formatRun(run, repository));
    return context.json({ total_count: chosen.length, check_runs: runs }, 200, headers);
  }

  function find(context: ApiContext, repository: Repository): CheckRun {
    const run = checkRuns.find(repository.id, readId(context));
    if (run === undefined) throw notFound();
    return run;
  }

  /** The rules of GitHub's: a conclusion completes a run, and a completed run has one. */
  function apply(run: Omit<CheckRun, "id">, change: Change): Omit<CheckRun, "id"> {
    const status = change.conclusion === undefined ? (change.status ?? run.status) : "completed";
    const conclusion = status === "completed" ? (change.conclusion ?? run.conclusion) : null;
    if (status === "completed" && conclusion === null)
      throw unprocessable('conclusion: is required when status is "completed"');
    const began = status === "queued" ? null : now();
    const ended = status === "completed" ? (change.completed_at ?? run.completedAt ?? now()) : null;
    return {
      ...run,
      name: change.name ?? run.name,
      status,
      conclusion,
      detailsUrl: change.details_url ?? run.detailsUrl,
      externalId: change.external_id ?? run.externalId,
      output: {
        title: change.output?.title ?? run.output.title,
        summary: change.output?.summary ?? run.output.summary,
        text: change.output?.text ?? run.output.text,
      },
      startedAt: change.started_at ?? run.startedAt ?? began,
      completedAt: ended,
    };
  }

  function formatRun(run: CheckRun, repository: Repository) {
    const url = `${links.repository(repository.owner, repository.name)}/check-runs/${run.id}`;
    return {
      id: run.id,
      node_id: nodeId("CheckRun", run.id),
      head_sha: run.sha,
      external_id: run.externalId,
      url,
      html_url: run.detailsUrl ?? url,
      details_url: run.detailsUrl,
      status: run.status,
      conclusion: run.conclusion,
      started_at: run.startedAt === null ? null : formatTime(run.startedAt),
      completed_at: run.completedAt === null ? null : formatTime(run.completedAt),
      output: { ...run.output, annotations_count: 0, annotations_url: `${url}/annotations` },
      name: run.name,
      app: { id: appId, slug: "forge", name: "Forge" },
      pull_requests: [],
    };
  }
}
