import test from "ava";
import { labels } from "#sdk/labels.ts";
import { goLive } from "./test-support/go-live.ts";
import {
  buildOf,
  claim,
  deployUp,
  plannedFunction,
  push,
  releaseDraft,
  setUp,
  shaOf,
} from "./test-support/set-up.ts";
import type { Build } from "./types/build.ts";
import type { Ledger } from "./types/ledger.ts";
import type { SwitchBack } from "./types/switch-back.ts";

/** A push whose release serves; its build is live. */
function serve(ledger: Ledger, number: number): Build {
  const planned = { ...plannedFunction("cart"), key: `v1:${number}` };
  return goLive(ledger, { sha: shaOf(number), planned, release: { id: `release-${number}` } });
}

function backOf(build: Build): SwitchBack {
  const reason = "cart serves 0000001 again";
  const status = { context: "cart", state: "failure", description: reason, targetUrl: "" } as const;
  return {
    service: "alice-cart",
    from: { release: "release-2", fence: 2 },
    to: { release: "release-1", fence: 3 },
    corrections: [{ build, name: "cart", reason, statuses: [status] }],
  };
}

test("a switch back is one write: what failed, what serves under which fence, and what the commit shows", (t) => {
  const house = setUp(t);
  serve(house.ledger, 1);
  const build = serve(house.ledger, 2);

  t.true(house.ledger.recordSwitchBack(backOf(build)));

  const ledger = house.reopen();
  const states = ledger
    .listReleases("alice-cart", 9)
    .map(({ id, fence, state }) => [id, fence, state]);
  t.deepEqual(states, [
    ["release-1", 3, "serving"],
    ["release-2", 2, "failed"],
  ]);
  t.is(ledger.currentRelease("alice-cart")?.deployment.labels?.[labels.fence], "3");
  t.like(
    ledger.listStatuses(build.repositoryId, build.sha).find(({ context }) => context === "cart"),
    { state: "failure", description: "cart serves 0000001 again", sent: false },
  );
  t.like(ledger.listEvents(build.id).at(-1)?.event, { type: "function", step: "failed" });
  t.is(ledger.findBuild(build.id)?.state, "live", "it was live, and an end is final");
});

test("a switch back counts once", (t) => {
  const { ledger } = setUp(t);
  serve(ledger, 1);
  const build = serve(ledger, 2);
  ledger.recordSwitchBack(backOf(build));

  t.false(ledger.recordSwitchBack(backOf(build)));

  t.is(ledger.listEvents(build.id).length, 1);
});

test("a crash loop with nothing to go back to is told once, and what serves serves on", (t) => {
  const house = setUp(t);
  const build = serve(house.ledger, 1);
  const { corrections } = backOf(build);

  t.true(house.ledger.recordCrashLoop(corrections));

  const ledger = house.reopen();
  t.like(
    ledger.listStatuses(build.repositoryId, build.sha).find(({ context }) => context === "cart"),
    { state: "failure", sent: false },
  );
  t.is(ledger.currentRelease("alice-cart")?.id, "release-1");
  t.false(ledger.recordCrashLoop(corrections));
  t.is(ledger.listEvents(build.id).length, 1);
});

test("a late word about a switch back does not unseat a newer release", (t) => {
  const { ledger } = setUp(t);
  serve(ledger, 1);
  const build = serve(ledger, 2);
  serve(ledger, 3);

  t.false(ledger.recordSwitchBack(backOf(build)));

  t.is(ledger.currentRelease("alice-cart")?.id, "release-3");
});

test("a switch back waits while its fence belongs to a release under way, and is recorded once that went above", (t) => {
  const { ledger } = setUp(t);
  serve(ledger, 1);
  const build = serve(ledger, 2);
  const held = claim(ledger, buildOf(ledger.acceptPush(push({ sha: shaOf(3) }))));
  deployUp(ledger, held);
  const draft = releaseDraft("alice-cart", "release-3");
  ledger.declareRelease(held, draft);

  const waits = ledger.recordSwitchBack(backOf(build));
  const above = ledger.declareRelease(held, draft, 3);

  t.false(waits);
  t.is(above.fence, 4);
  t.true(ledger.recordSwitchBack(backOf(build)));
  t.like(ledger.currentRelease("alice-cart"), { id: "release-1", fence: 3 });
});

test("after a switch back the next release has a fence above the engine's", (t) => {
  const { ledger } = setUp(t);
  serve(ledger, 1);
  const build = serve(ledger, 2);
  ledger.recordSwitchBack({ ...backOf(build), to: { release: "release-1", fence: 7 } });

  serve(ledger, 3);

  t.like(ledger.currentRelease("alice-cart"), { id: "release-3", fence: 8 });
});

test("a switch back to what the ledger never saw leaves it with nothing that serves", (t) => {
  const { ledger } = setUp(t);
  serve(ledger, 1);
  const build = serve(ledger, 2);
  const to = { release: "manual-1", fence: 3 };

  t.true(ledger.recordSwitchBack({ ...backOf(build), to }));

  t.is(ledger.currentRelease("alice-cart"), undefined);
});
