import test from "ava";
import { parsePushEvent } from "#sdk/push-event.ts";
import { commitSha, type PushBody, pushBody } from "../../test/helpers/push-delivery.ts";
import { type BuildDecision, decideBuild } from "./decide-build.ts";

const CASES: readonly [string, PushBody, string, BuildDecision][] = [
  [
    "a push to the default branch is built when no build branch is named",
    { ref: "refs/heads/trunk", defaultBranch: "trunk" },
    "",
    { build: true, branch: "trunk", sha: commitSha(1) },
  ],
  [
    "a push to the build branch is built although another one is the default",
    { ref: "refs/heads/live", defaultBranch: "main" },
    "live",
    { build: true, branch: "live", sha: commitSha(1) },
  ],
  [
    "a push to another branch is skipped and names the branch that is built",
    { ref: "refs/heads/try" },
    "",
    {
      build: false,
      skipped: true,
      reason: "skipping build for: refs/heads/try branch, the build branch is: main",
    },
  ],
  [
    "a branch whose last part is the build branch's name is another branch",
    { ref: "refs/heads/feature/main" },
    "main",
    {
      build: false,
      skipped: true,
      reason: "skipping build for: refs/heads/feature/main branch, the build branch is: main",
    },
  ],
  [
    "a tag of the build branch's name is not built",
    { ref: "refs/tags/main" },
    "main",
    { build: false, skipped: true, reason: "refs/tags/main is a tag; only branches are built" },
  ],
  [
    "a deleted build branch is not built",
    { after: "0".repeat(40), deleted: true },
    "",
    {
      build: false,
      skipped: false,
      reason: "refs/heads/main was deleted; there is nothing to build",
    },
  ],
  [
    "a commit of nothing but zeros is a deletion, whatever the flag says",
    { after: "0".repeat(64) },
    "",
    {
      build: false,
      skipped: false,
      reason: "refs/heads/main was deleted; there is nothing to build",
    },
  ],
  [
    "a ref that is neither branch nor tag is not built",
    { ref: "refs/pull/1/head" },
    "",
    { build: false, skipped: false, reason: "refs/pull/1/head is not a branch" },
  ],
  [
    "a bare branch name is not a ref",
    { ref: "main" },
    "",
    { build: false, skipped: false, reason: "main is not a branch" },
  ],
];

for (const [title, push, buildBranch, expected] of CASES) {
  test(title, (t) => {
    const decision = decideBuild(parsePushEvent(JSON.stringify(pushBody(push))), buildBranch);

    t.deepEqual(decision, expected);
  });
}
