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
  const push = (id: string, { repository = "shop", branch = "main" } = {}) =>
    queueBuild({ id, ownerId: "forge:1", repositoryId: repository, branch }, silentLog);
  const jobs = (name: string) => queued.filter((job) => job.startsWith(name));
  return { push, jobs };
}

test("a build is queued before what its commit shows", async (t) => {
  const { push, jobs } = setUp();

  t.true(await push("a"));

  await until(() => jobs("").length === 2);
  t.deepEqual(jobs(""), ["git-tar a", "github-status a"]);
});

test("in a flood the newest build of a branch is queued, not those that it superseded", async (t) => {
  const { push, jobs } = setUp();

  await push("a");
  const others = [push("other", { repository: "blog" }), push("topic", { branch: "topic" })];
  const [b, c] = await Promise.all([push("b"), push("c")]);

  t.deepEqual(await Promise.all(others), [true, true]);
  t.deepEqual([b, c], [false, true]);
  t.deepEqual(jobs("git-tar"), ["git-tar a", "git-tar other", "git-tar topic", "git-tar c"]);
});

test("in a flood one job tells for all builds of a repository so far", async (t) => {
  const { push, jobs } = setUp();

  await push("a");
  await Promise.all([push("b", { branch: "topic" }), push("c")]);
  await until(() => jobs("github-status").length === 2);

  t.deepEqual(jobs("github-status"), ["github-status a", "github-status c"]);
});
