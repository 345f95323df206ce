import type { Owner } from "#ledger/types/owner.ts";
import type { Repository } from "#ledger/types/repository.ts";
import { GIT_REPO_URL_ANNOTATION, LABEL_VALUE_LIMIT, labels } from "#sdk/labels.ts";
import type { FunctionDeployment } from "#sdk/messages.ts";
import { FUNCTION_NAMESPACE, formatServiceName } from "#sdk/names.ts";
import { byName, hashOf } from "./build-key.ts";
import type { StackFunction } from "./parse-function.ts";

/** What the platform decides for every function, whatever its stack file says. */
export type DeployDefaults = {
  /** `128Mi`. */
  readonly memoryLimit: string;
  /** `500m`; absent where the engine has no CPU limits. */
  readonly cpuLimit?: string;
  readonly cpuRequest?: string;
  readonly scaleMin: number;
  readonly scaleMax: number;
  readonly scaleFactor: number;
  /** For functions that do not say. */
  readonly scaleToZero: boolean;
  readonly readOnlyRootFilesystem: boolean;
};

export type DeploymentParts = {
  readonly owner: Owner;
  readonly repository: Pick<Repository, "id" | "name" | "url" | "private">;
  readonly sha: string;
  readonly branch: string;
  readonly image: string;
  readonly fprocess?: string;
  readonly defaults: DeployDefaults;
};

/** Kubernetes' rule; what breaks it goes into the annotations. */
const LABEL_VALUE = /^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?$/;

/** The body of the deploy call, but for image digest, release, fence and time of deploy. */
export function formatDeployment(fn: StackFunction, parts: DeploymentParts): FunctionDeployment {
  const { owner, image, fprocess, defaults } = parts;
  const { memoryLimit, cpuLimit, cpuRequest } = defaults;
  const git = Object.entries(gitLabels(parts));
  return {
    service: formatServiceName(owner.slug, fn.name),
    image,
    namespace: FUNCTION_NAMESPACE,
    ...(fprocess === undefined ? {} : { envProcess: fprocess }),
    envVars: fn.environment,
    secrets: fn.secrets.map((name) => `${owner.slug}-${name}`),
    labels: {
      ...ownLabels(fn, parts),
      ...Object.fromEntries(git.filter(([, value]) => isLabelValue(value))),
    },
    annotations: {
      ...fn.annotations,
      [GIT_REPO_URL_ANNOTATION]: parts.repository.url,
      ...Object.fromEntries(git.filter(([, value]) => !isLabelValue(value))),
    },
    limits: { memory: memoryLimit, ...(cpuLimit === undefined ? {} : { cpu: cpuLimit }) },
    ...(cpuRequest === undefined ? {} : { requests: { cpu: cpuRequest } }),
    readOnlyRootFilesystem: defaults.readOnlyRootFilesystem,
  };
}

/**
 * Hash of what owner and operator decide about a deployment. Commit, branch, logins and names of the
 * repository are left out: they change without a reason to deploy.
 */
export function hashSpec(fn: StackFunction, deployment: FunctionDeployment): string {
  const { service, envProcess, envVars = {}, secrets = [], limits, requests } = deployment;
  const scale = Object.entries(deployment.labels ?? {}).filter(([name]) => SCALE.has(name));
  return hashOf([
    service,
    envProcess ?? "",
    Object.entries(envVars).sort(byName),
    [...secrets].sort(),
    Object.entries(fn.annotations).sort(byName),
    scale.sort(byName),
    [limits?.memory, limits?.cpu, requests?.memory, requests?.cpu],
    deployment.readOnlyRootFilesystem,
  ]);
}

const SCALE: ReadonlySet<string> = new Set([
  labels.scaleMin,
  labels.scaleMax,
  labels.scaleFactor,
  labels.scaleZero,
]);

function ownLabels(
  fn: StackFunction,
  { owner, defaults }: DeploymentParts,
): Record<string, string> {
  const service = formatServiceName(owner.slug, fn.name);
  return {
    faas_function: service,
    app: service,
    [labels.scaleMin]: String(defaults.scaleMin),
    [labels.scaleMax]: String(defaults.scaleMax),
    [labels.scaleFactor]: String(defaults.scaleFactor),
    [labels.scaleZero]: String(fn.scaleToZero ?? defaults.scaleToZero),
  };
}

/** spec/pipeline.md section 13.4. Ids are the numbers beside `git-scm`. */
function gitLabels({ owner, repository, sha, branch }: DeploymentParts): Record<string, string> {
  return {
    [labels.gitCloud]: "1",
    [labels.gitOwner]: owner.login,
    [labels.gitOwnerId]: numberOf(owner.id),
    [labels.gitRepo]: repository.name,
    [labels.gitRepoId]: numberOf(repository.id),
    [labels.gitSha]: sha,
    [labels.gitPrivate]: repository.private ? "1" : "0",
    [labels.gitScm]: owner.scm,
    [labels.gitBranch]: branch,
  };
}

/** `583231` of `github:583231`. */
function numberOf(id: string): string {
  return id.slice(id.indexOf(":") + 1);
}

function isLabelValue(value: string): boolean {
  return value.length <= LABEL_VALUE_LIMIT && LABEL_VALUE.test(value);
}
