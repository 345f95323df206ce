import type { PushEvent } from "#sdk/push-event.ts";

export type BuildDecision =
  | { readonly build: true; readonly branch: string; readonly sha: string }
  | {
      readonly build: false;
      readonly reason: string;
      /** The commit is there and could have been built: worth a check run `skipped`. */
      readonly skipped: boolean;
    };

/** Only a commit at the head of the build branch is built; an empty `buildBranch` means the default one. */
export function decideBuild(push: PushEvent, buildBranch: string): BuildDecision {
  const branch = buildBranch || push.repository.defaultBranch;
  if (push.deleted) return refuse(`${push.ref} was deleted; there is nothing to build`, false);
  if (push.kind === "tag") return refuse(`${push.ref} is a tag; only branches are built`, true);
  if (push.kind === "other") return refuse(`${push.ref} is not a branch`, false);
  if (push.name !== branch)
    return refuse(`skipping build for: ${push.ref} branch, the build branch is: ${branch}`, true);
  return { build: true, branch, sha: push.sha };
}

function refuse(reason: string, skipped: boolean): BuildDecision {
  return { build: false, reason, skipped };
}
