import type { Plan, PlannedFunction } from "#ledger/types/plan.ts";
import { type BasePins, digestOfPin } from "#sdk/base-pin.ts";
import { describeLangs, findTemplate, type Template } from "#sdk/templates.ts";
import { type BuildInputs, buildKey, byName, hashOf } from "./build-key.ts";
import { listUserFiles, type UserFile } from "./context-files.ts";
import { type DeploymentParts, formatDeployment, hashSpec } from "./format-deployment.ts";
import { formatImage } from "./format-image.ts";
import type { TreeEntry } from "./list-tree.ts";
import type { StackFunction } from "./parse-function.ts";
import type { Stack } from "./parse-stack.ts";
import type { StackPins } from "./pin-stack.ts";
import { isInside } from "./repository-path.ts";
import { refuse, StackError } from "./stack-error.ts";

export type PlanInput = Omit<DeploymentParts, "image" | "fprocess"> &
  Pick<BuildInputs, "engine" | "platform"> & {
    readonly stack: Stack;
    /** Every file of the commit. */
    readonly tree: readonly TreeEntry[];
    readonly templates: readonly Template[];
    /** What base images stand for; absent without containers. */
    readonly pins?: StackPins;
    /** Where images are pushed, `127.0.0.1:5000` for instance. */
    readonly registry: string;
  };

/** `lang` of a function that brings its own Dockerfile. */
export const DOCKERFILE = "dockerfile";

/** Decide image and deployment of every function of a stack. Throws StackError with the first refusal. */
export function planFunctions(input: PlanInput): Plan {
  if (input.tree.some(({ path }) => isInside(path, "template")))
    throw new StackError(
      'the repository holds "template" in its root; the platform builds from its own templates, rename it',
    );
  return { v: 1, functions: input.stack.functions.map((fn) => planFunction(fn, input)) };
}

function planFunction(fn: StackFunction, input: PlanInput): PlannedFunction {
  const { tree, stack, owner, repository, sha, platform, registry } = input;
  const template = pickTemplate(fn, input);
  const paths = { name: fn.name, handler: fn.handler, copy: stack.copy };
  const files = listUserFiles(tree, paths);
  if (template === undefined) refuseWithoutDockerfile(fn, files);

  const bases = input.pins?.get(fn.name);
  const key = buildKey({
    ownerId: owner.id,
    engine: withBases(input.engine, bases),
    platform,
    template: template === undefined ? [DOCKERFILE] : [template.name, template.digest],
    buildArgs: fn.buildArgs,
    files,
  });
  const image = formatImage({
    registry,
    ownerSlug: owner.slug,
    repository: repository.name,
    functionName: fn.name,
    sha,
    key,
  });
  const fprocess = template?.fprocess;
  const deployment = formatDeployment(fn, {
    ...input,
    image,
    ...(fprocess === undefined ? {} : { fprocess }),
  });
  return {
    ...paths,
    service: deployment.service,
    lang: template?.name ?? DOCKERFILE,
    key,
    image,
    deployment,
    specHash: hashSpec(fn, deployment),
    buildArgs: fn.buildArgs,
    ...(bases === undefined ? {} : { bases }),
  };
}

/** Why a name is not pinned decides no image. */
function withBases(engine: PlanInput["engine"], bases: BasePins | undefined): PlanInput["engine"] {
  if (bases === undefined) return engine;
  const digests = Object.entries(bases).map(([name, pin]) => [name, digestOfPin(pin)] as const);
  return { ...engine, base: hashOf(digests.sort(byName)) };
}

/** `undefined` is a Dockerfile of the repository. */
function pickTemplate({ name, lang }: StackFunction, { templates, engine }: PlanInput) {
  const field = `functions.${name}.lang`;
  const onHost = engine.kind === "process";
  if (lang === DOCKERFILE) {
    if (onHost) refuse(field, lang, "this platform builds without containers, from templates only");
    return undefined;
  }
  const usable = templates.filter(({ host }) => host !== undefined || !onHost);
  const template = findTemplate(usable, lang);
  return template ?? refuse(field, lang, `it must be one of ${describeLangs(usable)}`);
}

function refuseWithoutDockerfile(
  { name, handler }: StackFunction,
  files: readonly UserFile[],
): void {
  if (files.some(({ path }) => path === "Dockerfile")) return;
  refuse(`functions.${name}.handler`, handler || ".", "lang dockerfile needs a Dockerfile in it");
}
