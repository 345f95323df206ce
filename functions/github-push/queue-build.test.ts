import test from "ava";
import { silentLog } from "#sdk/log.ts";
import type { Job } from "#sdk/messages.ts";
import { until } from "../../test/helpers/until.ts";
import { createQueueBuild } from "./queue-build.ts";

function setUp() {
  const queued: string[] = [];
  const queue = async (name: string, body: string) =>
    void queued.push(`${name} ${(JSON.parse(body) as Job).buildId}`);
  const queueBuild = createQueueBuild({ queue }, 1_000);
  const push = (id: string, repositoryId: string) =>
    queueBuild({ id, ownerId: "forge:1", repositoryId }, silentLog);
  const jobs = (name: string) => queued.filter((job) => job.startsWith(name));
  return { push, jobs };
}

test("a build is queued before what its commit shows, and both at once", async (t) => {
  const { push, jobs } = setUp();

  await push("a", "forge:1");

  t.deepEqual(jobs(""), ["git-tar a", "github-status a"]);
});

test("in a flood each build is queued, and of those of a repository one job tells for all so far", async (t) => {
  const { push, jobs } = setUp();

  for (const id of ["a", "b", "c"]) await push(id, "forge:1");
  await push("other", "forge:2");

  t.deepEqual(jobs("git-tar"), ["git-tar a", "git-tar b", "git-tar c", "git-tar other"]);
  t.deepEqual(jobs("github-status"), ["github-status a", "github-status other"]);
  await until(() => jobs("github-status").length > 2);
  t.deepEqual(jobs("github-status").slice(2), ["github-status c"]);
});
