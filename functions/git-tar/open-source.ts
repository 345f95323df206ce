import { join } from "node:path";
import type { Build } from "#ledger/types/build.ts";
import type { Owner } from "#ledger/types/owner.ts";
import type { Repository } from "#ledger/types/repository.ts";
import type { PinBases } from "#sdk/base-pin.ts";
import type { Env } from "#sdk/env.ts";
import type { GithubApps } from "#sdk/github-app.ts";
import type { Log } from "#sdk/log.ts";
import type { ReadHead } from "#sdk/read-head.ts";
import { findTemplate, type Template } from "#sdk/templates.ts";
import { BuildFailed } from "./build-failed.ts";
import { FetchError } from "./fetch-error.ts";
import type { DeployDefaults } from "./format-deployment.ts";
import type { TreeEntry } from "./list-tree.ts";
import { MIRROR_LIMITS, type Mirror, openMirror } from "./mirror.ts";
import { packContext } from "./pack-context.ts";
import { pinStack } from "./pin-stack.ts";
import { DOCKERFILE, type PlanInput, planFunctions } from "./plan-build.ts";
import { readStack } from "./read-stack.ts";
import type { Source } from "./source.ts";
import { isSourceDown, SourceDown } from "./source-down.ts";
import { StackError } from "./stack-error.ts";

export type SourceTools = {
  /** Mirrors are `<mirrors>/<scm>/<numeric id>.git`. */
  readonly mirrors: string;
  /** Where clone URLs may point: `https://github.com`, `http://127.0.0.1:8080`. */
  readonly origins: readonly string[];
  /** Where a repository is cloned from now; the forge moves with the gateway's port. */
  readonly cloneUrlOf: (repository: Repository) => string;
  readonly env: Env;
  readonly apps: GithubApps;
  readonly readHead: ReadHead;
  readonly templates: readonly Template[];
  readonly dockerfile: boolean;
  readonly defaults: DeployDefaults;
  /** What base images stand for; absent without containers. */
  readonly pinBases?: PinBases;
  readonly plan: Pick<PlanInput, "engine" | "platform" | "registry">;
  readonly log: Log;
};

/** How builds see repositories: head from the source's API, files from a mirror. */
export function createOpenSource(tools: SourceTools) {
  return async (repository: Repository, owner: Owner): Promise<Source> => {
    const mirror = await endingBuild(async () => openMirrorOf(tools, repository));
    return createSource(tools, repository, owner, mirror);
  };
}

function openMirrorOf(tools: SourceTools, repository: Repository): Mirror {
  return openMirror({
    folder: `${join(tools.mirrors, ...splitId(repository.id))}.git`,
    cloneUrl: tools.cloneUrlOf(repository),
    origins: tools.origins,
    credential: () => credentialOf(tools, repository),
    environment: tools.env,
    limits: MIRROR_LIMITS,
    log: tools.log,
  });
}

function createSource(
  tools: SourceTools,
  repository: Repository,
  owner: Owner,
  mirror: Mirror,
): Source {
  const trees = new Map<string, Promise<readonly TreeEntry[]>>();
  const listTree = (sha: string, signal: AbortSignal) => {
    const tree = trees.get(sha) ?? mirror.listTree(sha, signal);
    trees.set(sha, tree);
    return tree;
  };

  return {
    readHead: (branch, signal) =>
      repository.installationId === 0
        ? endingBuild(() => mirror.readHead(branch, signal))
        : endingBuild(() => tools.readHead(repository, branch)),
    fetchCommit: (sha, signal) =>
      endingBuild(async () => void (await mirror.fetchCommit(sha, signal))),
    plan: (build, signal) =>
      endingBuild(async () => {
        const tree = await listTree(build.sha, signal);
        const blobs = mirror.openBlobs(signal);
        try {
          const stack = await readStack(tree, blobs, {
            ownerSlug: owner.slug,
            dockerfile: tools.dockerfile,
          });
          const { templates, defaults, pinBases } = tools;
          const { registry } = tools.plan;
          const pins =
            pinBases && (await pinStack({ stack, tree, templates, registry, blobs, pinBases }));
          const plan = planFunctions({
            ...tools.plan,
            ...(pins && { pins }),
            ...commitOf(build),
            stack,
            tree,
            owner,
            repository,
            templates,
            defaults,
          });
          return { plan, notes: stack.notes };
        } finally {
          blobs.close();
        }
      }),
    packContext: (build, planned, signal) =>
      endingBuild(async () => {
        const template = findTemplate(tools.templates, planned.lang);
        // A Dockerfile of the repository's own needs no template.
        if (template === undefined && planned.lang !== DOCKERFILE)
          throw new StackError(`template "${planned.lang}" is gone; push again`);
        const config = {
          v: 1 as const,
          image: planned.image,
          lang: planned.lang,
          buildArgs: planned.buildArgs,
          ownerId: owner.id,
          ...(planned.bases && { bases: planned.bases }),
        };
        return packContext({
          mirror,
          tree: await listTree(build.sha, signal),
          planned,
          template,
          config,
          signal,
        });
      }),
  };
}

const commitOf = ({ sha, branch }: Build) => ({ sha, branch });

/** What the repository's owner has to mend ends the build; what time may mend is thrown, a source that is down by name. */
async function endingBuild<T>(step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    if (error instanceof StackError) throw new BuildFailed("failed", error.message);
    if (error instanceof FetchError && !error.retryable)
      throw new BuildFailed("failed", error.message);
    throw isSourceDown(error) ? new SourceDown(error) : error;
  }
}

async function credentialOf(
  { apps }: SourceTools,
  { id, installationId, private: isPrivate }: Repository,
) {
  const [scm] = splitId(id);
  if (installationId === 0) {
    if (isPrivate)
      throw new FetchError("no-access", "the App is not installed on this private repository");
    return undefined;
  }
  return {
    username: "x-access-token",
    password: await apps.installationToken(scm, installationId),
  };
}

function splitId(id: string): [string, string] {
  const [scm = "", number = ""] = id.split(":");
  return [scm, number];
}
