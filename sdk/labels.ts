/** Labels on functions; an index for people and tools, never a source of rights (design.md section 5). */
export const labels = {
  gitCloud: "com.openfaas.cloud.git-cloud",
  gitOwner: "com.openfaas.cloud.git-owner",
  gitOwnerId: "com.openfaas.cloud.git-owner-id",
  gitRepo: "com.openfaas.cloud.git-repo",
  gitRepoId: "com.openfaas.cloud.git-repo-id",
  gitDeployTime: "com.openfaas.cloud.git-deploytime",
  gitSha: "com.openfaas.cloud.git-sha",
  gitPrivate: "com.openfaas.cloud.git-private",
  gitScm: "com.openfaas.cloud.git-scm",
  gitBranch: "com.openfaas.cloud.git-branch",
  release: "com.openfaas.cloud.release",
  fence: "com.openfaas.cloud.fence",
  /** Brings back the values that secrets had then; made by the engine, absent for those of now. */
  secretsVersion: "com.openfaas.cloud.secrets-version",
  scaleMin: "com.openfaas.scale.min",
  scaleMax: "com.openfaas.scale.max",
  scaleFactor: "com.openfaas.scale.factor",
  scaleZero: "com.openfaas.scale.zero",
} as const;

/** Annotation that links a function to its repository's page. */
export const GIT_REPO_URL_ANNOTATION = "com.openfaas.cloud.git-repo-url";

/** Longest label value Kubernetes takes; longer ones become annotations. */
export const LABEL_VALUE_LIMIT = 63;
