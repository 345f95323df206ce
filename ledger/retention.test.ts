import { spawnSync } from "node:child_process";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import test, { type ExecutionContext } from "ava";
import { openLedger } from "./ledger.ts";
import { migrate } from "./migrations.ts";
import { SCHEMA_V1 } from "./schema.ts";
import { goLive } from "./test-support/go-live.ts";
import { findBreaches } from "./test-support/invariants.ts";
import {
  alice,
  buildOf,
  claim,
  plannedFunction,
  push,
  setUp as setUpLedger,
  shaOf,
} from "./test-support/set-up.ts";
import type { Build } from "./types/build.ts";
import type { Ledger } from "./types/ledger.ts";
import type { Retention } from "./types/retention.ts";

const DAY_MS = 24 * 3_600_000;
const RETENTION: Retention = {
  buildsMs: 90 * DAY_MS,
  buildsPerOwner: 1_000,
  deliveriesMs: 30 * DAY_MS,
  auditMs: 365 * DAY_MS,
  repeatMs: 7 * DAY_MS,
  releases: 2,
};
const PRUNER = fileURLToPath(new URL("test-support/crash-pruner.ts", import.meta.url));
const NOTHING = { builds: 0, deliveries: 0, statuses: 0, audit: 0 };

function setUp(t: ExecutionContext) {
  const base = setUpLedger(t);
  const { ledger, now } = base;
  let pushes = 0;
  const accept = (branch = "main") =>
    buildOf(ledger.acceptPush(push({ sha: shaOf(++pushes), branch })));
  return {
    ...base,
    accept,
    fail(branch?: string): Build {
      const build = accept(branch);
      ledger.endBuild(claim(ledger, build), "failed", "no stack.yml", []);
      return build;
    },
    /** A push that makes `service` serve. */
    deploy(service = "alice-cart"): Build {
      const sha = shaOf(++pushes);
      const planned = plannedFunction("cart", service);
      const build = goLive(ledger, { sha, planned, release: { id: `release-${pushes}` } });
      ledger.addEvent(build.id, { v: 1, at: now(), type: "fetched", ms: 1 });
      return build;
    },
    tellAll(): void {
      for (const status of ledger.listUnsent(now())) ledger.markSent(status);
    },
    kept: () => idsOf(ledger),
  };
}

function idsOf(ledger: Ledger): string[] {
  return ledger
    .listBuilds({ limit: 1_000 })
    .map(({ id }) => id)
    .reverse();
}

function pruneAll(ledger: Ledger, retention: Partial<Retention> = {}): void {
  while (
    Object.values(ledger.prune({ ...RETENTION, ...retention }, 10)).some((count) => count > 0)
  );
}

test("an old build goes with its events, statuses, releases and delivery", (t) => {
  const { ledger, deploy, tellAll, wait, kept } = setUp(t);
  const [first, ...others] = [deploy(), deploy(), deploy()];
  tellAll();
  wait(91 * DAY_MS);

  const pruned = ledger.prune(RETENTION, 10);

  t.like(pruned, { builds: 1, deliveries: 0 });
  t.deepEqual(
    kept(),
    others.map(({ id }) => id),
  );
  t.deepEqual(ledger.listEvents(first?.id ?? ""), []);
  t.deepEqual(ledger.listStatuses("forge:10", shaOf(1)), []);
  t.is(ledger.listReleases("alice-cart", 10).length, 2);
  t.is(ledger.listDeliveries(10).length, 2);
  t.deepEqual(ledger.prune(RETENTION, 10), NOTHING);
});

test("what serves and the releases to go back to stay, however old and many", (t) => {
  const { ledger, deploy, tellAll, wait, kept } = setUp(t);
  const builds = [deploy(), deploy(), deploy(), deploy()];
  tellAll();
  wait(10_000 * DAY_MS);

  pruneAll(ledger, { buildsPerOwner: 1 });

  t.deepEqual(
    kept(),
    builds.slice(-2).map(({ id }) => id),
  );
  t.is(ledger.currentRelease("alice-cart")?.buildId, builds.at(-1)?.id);
});

test("failed releases and roll-backs take nothing from what can be gone back to", (t) => {
  const { ledger, deploy, tellAll, wait, kept } = setUp(t);
  const [, first, second] = [deploy(), deploy(), deploy()].map(({ id }) => id);
  for (const back of [1, 1, 1]) {
    const [, other] = ledger.listReleases("alice-cart", 2);
    if (other === undefined) throw new Error(`Nothing to go back to by ${back}`);
    const { id } = ledger.declareRollback(other);
    ledger.markRelease(id, "alice-cart", "serving");
  }
  const [, , last] = [deploy(), deploy(), deploy()].map(({ id }) => id);
  for (const { id } of ledger.listReleases("alice-cart", 3).slice(1))
    ledger.markRelease(id, "alice-cart", "failed");
  tellAll();
  wait(91 * DAY_MS);

  pruneAll(ledger, { releases: 3 });

  t.deepEqual(kept(), [first, second, last]);
});

test("a function that was removed keeps no releases", (t) => {
  const { ledger, deploy, fail, tellAll, wait, kept } = setUp(t);
  deploy();
  const live = deploy("alice-other");
  const newest = fail();
  tellAll();
  ledger.removeFunction("alice-cart");
  wait(91 * DAY_MS);

  pruneAll(ledger);

  t.deepEqual(kept(), [live.id, newest.id]);
});

test("the newest build of each branch, open builds and statuses still to be told stay", (t) => {
  const { ledger, accept, fail, tellAll, wait, kept } = setUp(t);
  fail();
  tellAll();
  const untold = fail();
  const newest = fail("dev");
  const open = accept();
  wait(1_000 * DAY_MS);

  pruneAll(ledger);

  t.deepEqual(kept(), [untold.id, newest.id, open.id]);
  t.is(ledger.listUnsent(Number.MAX_SAFE_INTEGER).length, 3);
});

test("of one owner's builds only so many stay, unless a delivery may still be repeated", (t) => {
  const { ledger, fail, tellAll, wait, kept } = setUp(t);
  fail();
  wait(5 * DAY_MS);
  const others = [fail(), fail(), fail()];
  tellAll();
  wait(3 * DAY_MS);

  pruneAll(ledger, { buildsPerOwner: 1 });
  t.deepEqual(
    kept(),
    others.map(({ id }) => id),
  );
  wait(5 * DAY_MS);
  pruneAll(ledger, { buildsPerOwner: 1 });

  t.deepEqual(kept(), [others.at(-1)?.id]);
});

test("a delivery that is repeated within the window is a duplicate, whatever was pruned", (t) => {
  const { ledger, fail, deploy, tellAll, wait } = setUp(t);
  const delivery = push({ sha: shaOf(100) });
  const build = buildOf(ledger.acceptPush(delivery));
  ledger.cancelBuild(build.id, "by hand");
  deploy();
  fail();
  tellAll();
  wait(7 * DAY_MS - 1);

  pruneAll(ledger, { buildsMs: 0, deliveriesMs: 0, buildsPerOwner: 0 });

  t.like(ledger.acceptPush(delivery), { decision: "duplicate", build: { id: build.id } });
});

test("deliveries without a build, told statuses of no build, and audit rows go by age", (t) => {
  const { ledger, wait, now } = setUp(t);
  const record = (key: string) =>
    ledger.recordDelivery({
      key,
      event: "ping",
      receivedAt: now(),
      decision: "ignored",
      reason: "a ping",
      status: 200,
    });
  const want = (sha: string) => {
    const status = { context: "stack-deploy", description: "", targetUrl: "" } as const;
    ledger.wantStatus("forge:10", sha, { ...status, state: "failure" });
  };
  const audit = { source: "test", message: "m", owner: alice.login, repository: "shop" };
  record("forge:old");
  want(shaOf(1));
  want(shaOf(2));
  const [told] = ledger.listUnsent(now());
  if (told !== undefined) ledger.markSent(told);
  ledger.recordAudit([audit]);
  wait(91 * DAY_MS);
  record("forge:new");
  want(shaOf(3));

  t.deepEqual(ledger.prune(RETENTION, 10), { builds: 0, deliveries: 1, statuses: 1, audit: 0 });
  wait(275 * DAY_MS);
  t.like(ledger.prune(RETENTION, 10), { deliveries: 1, statuses: 0, audit: 1 });

  t.deepEqual(ledger.listDeliveries(10), []);
  t.deepEqual(
    ledger.listUnsent(now()).map(({ sha }) => sha),
    [shaOf(2), shaOf(3)],
  );
});

test("a pruning that is killed around any of its commits comes to the same end the next time", (t) => {
  const { ledger, path, deploy, fail, tellAll, wait, now } = setUp(t);
  for (let round = 0; round < 3; round += 1) {
    deploy();
    fail();
  }
  tellAll();
  wait(91 * DAY_MS);
  const dropped = 3;
  const killed = (commit: number, moment: string) => {
    const args = [PRUNER, path, String(now()), JSON.stringify(RETENTION), String(commit), moment];
    return spawnSync(process.execPath, args).signal;
  };

  for (let commit = 1; commit <= dropped; commit += 1) {
    const before = idsOf(ledger).length;
    t.is(killed(1, "before"), "SIGKILL");
    t.is(idsOf(ledger).length, before, "lost with the process");
    t.is(killed(1, "after"), "SIGKILL");
    t.is(idsOf(ledger).length, before - 1, "kept, and only that");
    t.deepEqual(findBreaches(ledger), []);
    t.deepEqual(findOrphans(path), []);
  }

  t.deepEqual(ledger.prune(RETENTION, 10), NOTHING);
  t.is(ledger.listReleases("alice-cart", 10).length, RETENTION.releases);
});

function findOrphans(path: string): unknown[] {
  const file = new DatabaseSync(path);
  try {
    return file.prepare("PRAGMA foreign_key_check").all();
  } finally {
    file.close();
  }
}

test("statuses of a ledger from before pruning are as old as its first start with it", (t) => {
  const path = `${setUp(t).path}-of-version-1`;
  const file = new DatabaseSync(path);
  migrate(file, [SCHEMA_V1]);
  file.exec(`INSERT INTO statuses (repository_id, sha, context, state, description, target_url,
    skipped, version, sent_version) VALUES ('forge:10', '${shaOf(9)}', 'stack-deploy', 'failure',
    '', '', 0, 1, 1)`);
  file.close();

  const later = openLedger({ path, now: () => Date.now() + 89 * DAY_MS });
  t.teardown(() => later.close());

  t.is(later.prune(RETENTION, 10).statuses, 0);
  t.is(later.listStatuses("forge:10", shaOf(9)).length, 1);
});
