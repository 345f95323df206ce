import test from "ava";
import { HttpError } from "#sdk/errors.ts";
import { labels } from "#sdk/labels.ts";
import type { FunctionDeployment } from "#sdk/messages.ts";
import { type DeployMode, decideDeploy } from "./decide-deploy.ts";
import type { FunctionRecord, Release } from "./function-record.ts";

type Case = {
  readonly title: string;
  readonly record: FunctionRecord | undefined;
  readonly asked: FunctionDeployment;
  readonly mode?: DeployMode;
  readonly force?: boolean;
  /** `<act> <release>@<fence>`, or `<status> <code>`. */
  readonly outcome: string;
};

const cases: readonly Case[] = [
  { title: "a new function", record: undefined, asked: asked("r1", 1), outcome: "start r1@1" },
  { title: "one without labels", record: undefined, asked: asked(), outcome: "start made@1" },
  {
    title: "one without labels over fence 4",
    record: serving("r", 4),
    asked: asked(),
    outcome: "start made@5",
  },
  {
    title: "a release without a fence",
    record: serving("r", 4),
    asked: asked("s"),
    outcome: "start s@5",
  },
  {
    title: "the release that serves",
    record: serving("r", 4),
    asked: asked("r", 4),
    outcome: "serving r@4",
  },
  {
    title: "the release that serves, under a newer fence",
    record: serving("r", 4),
    asked: asked("r", 9),
    outcome: "serving r@4",
  },
  {
    title: "the release that is starting",
    record: starting("s", 5),
    asked: asked("s", 5),
    outcome: "starting s@5",
  },
  {
    title: "the release that failed",
    record: failed("s", 5),
    asked: asked("s", 5),
    outcome: "start s@5",
  },
  {
    title: "the release that serves beside one that failed",
    record: failed("s", 5),
    asked: asked("r", 4),
    outcome: "serving r@4",
  },
  {
    title: "the release that serves beside one that is starting",
    record: starting("s", 5),
    asked: asked("r", 4),
    outcome: "409 stale-fence",
  },
  {
    title: "another release under the same fence",
    record: serving("r", 4),
    asked: asked("s", 4),
    outcome: "409 stale-fence",
  },
  {
    title: "a lower fence",
    record: serving("r", 4),
    asked: asked("s", 3),
    outcome: "409 stale-fence",
  },
  {
    title: "a lower fence, even by force",
    record: serving("r", 4),
    asked: asked("s", 3),
    force: true,
    outcome: "409 stale-fence",
  },
  {
    title: "a lower fence than one that failed",
    record: failed("s", 5),
    asked: asked("q", 5),
    outcome: "409 stale-fence",
  },
  {
    title: "a fence that is no number",
    record: undefined,
    asked: asked("r", "1e3"),
    outcome: "400 invalid",
  },
  { title: "a negative fence", record: undefined, asked: asked("r", -1), outcome: "400 invalid" },
  {
    title: "another owner's function",
    record: serving("r", 4),
    asked: asked("s", 5, "github:2"),
    outcome: "409 owned-by-another",
  },
  {
    title: "an owner of the same number at another source",
    record: serving("r", 4),
    asked: asked("s", 5, "forge:1"),
    outcome: "409 owned-by-another",
  },
  {
    title: "another owner's release",
    record: serving("r", 4),
    asked: asked("r", 4, "github:2"),
    outcome: "409 owned-by-another",
  },
  {
    title: "another owner's function that is starting",
    record: starting("s", 5),
    asked: asked("t", 6, "github:2"),
    outcome: "409 owned-by-another",
  },
  {
    title: "another owner's function by force",
    record: serving("r", 4),
    asked: asked("s", 5, "github:2"),
    force: true,
    outcome: "start s@5",
  },
  {
    title: "an update of nothing",
    record: undefined,
    asked: asked("r", 1),
    mode: "update",
    outcome: "404 not-found",
  },
  {
    title: "a creation of what exists",
    record: serving("r", 4),
    asked: asked("s", 5),
    mode: "create",
    outcome: "409 exists",
  },
  {
    title: "a creation of what only failed",
    record: failed("s", 5),
    asked: asked("t", 6),
    mode: "create",
    outcome: "409 exists",
  },
  {
    title: "a creation that is repeated",
    record: serving("r", 4),
    asked: asked("r", 4),
    mode: "create",
    outcome: "serving r@4",
  },
];

for (const { title, record, asked, mode = "any", force = false, outcome } of cases) {
  test(`${title} is decided as ${outcome}`, (t) => {
    t.is(decide(record, asked, mode, force), outcome);
  });
}

function decide(
  record: FunctionRecord | undefined,
  deployment: FunctionDeployment,
  mode: DeployMode,
  force: boolean,
): string {
  try {
    const { act, release } = decideDeploy(record, deployment, { mode, force, newRelease: "made" });
    return `${act} ${release.release}@${release.fence}`;
  } catch (error) {
    if (error instanceof HttpError) return `${error.status} ${error.code}`;
    throw error;
  }
}

function asked(release?: string, fence?: number | string, owner = "github:1"): FunctionDeployment {
  const [scm = "", id = ""] = owner.split(":");
  return {
    service: "fn",
    image: "x",
    labels: {
      [labels.gitScm]: scm,
      [labels.gitOwnerId]: id,
      [labels.gitRepoId]: "9",
      ...(release === undefined ? {} : { [labels.release]: release }),
      ...(fence === undefined ? {} : { [labels.fence]: String(fence) }),
    },
  };
}

function releaseOf(release: string, fence: number): Release {
  return { release, fence, deployment: asked(release, fence) };
}

function serving(release: string, fence: number): FunctionRecord {
  const current = releaseOf(release, fence);
  return { v: 1, name: "fn", createdAt: "2026-01-01T00:00:00Z", replicas: 1, fence, current };
}

/** `release` is starting beside `r` at fence 4. */
function starting(release: string, fence: number): FunctionRecord {
  return { ...serving("r", 4), fence, next: releaseOf(release, fence) };
}

function failed(release: string, fence: number): FunctionRecord {
  return { ...serving("r", 4), fence, next: { ...releaseOf(release, fence), failed: "sick" } };
}
