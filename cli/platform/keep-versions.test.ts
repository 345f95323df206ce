import test, { type ExecutionContext } from "ava";
import { goLive } from "#ledger/test-support/go-live.ts";
import {
  alice,
  plannedFunction,
  releaseDraft,
  setUp as setUpLedger,
  shaOf,
} from "#ledger/test-support/set-up.ts";
import type { ReleaseState } from "#ledger/types/release.ts";
import type { KeptVersion } from "#provider/provider.ts";
import { labels } from "#sdk/labels.ts";
import { startKeepingVersions } from "./keep-versions.ts";
import { removeFunctions } from "./remove-functions.ts";

/** A ledger, and what an engine is told to keep. */
function setUp(t: ExecutionContext, keepReleases = 5) {
  const { ledger, wait } = setUpLedger(t);
  let released = 0;
  const told = new Map<string, readonly KeptVersion[]>();
  const engine = {
    keepVersions: (service: string, all: readonly KeptVersion[]) => void told.set(service, all),
  };
  const start = () => t.teardown(startKeepingVersions({ ledger, engine, keepReleases }));
  return {
    ledger,
    told,
    start,
    /** A push of alice-cart, commit `number`. */
    release(number: number, state: ReleaseState = "serving"): string {
      wait(1);
      const sha = shaOf(number);
      const key = `v1:${number}`;
      const id = `release-${++released}`;
      const deployment = {
        ...releaseDraft().deployment,
        envVars: { number: String(number) },
        labels: { [labels.gitSha]: sha },
      };
      const planned = { ...plannedFunction("cart"), key };
      goLive(ledger, { sha, planned, release: { id, digest: `sha256:${key}`, deployment }, state });
      return id;
    },
    /** After what was just committed was told. */
    async names(): Promise<string> {
      await Promise.resolve();
      return (told.get("alice-cart") ?? []).map(({ name }) => name).join(" ");
    },
  };
}

const addressOf = (...numbers: readonly number[]) =>
  numbers.map((number) => `alice-cart--${shaOf(number).slice(0, 7)}`).join(" ");

test("the engine hears at the start, and after each push, which versions have addresses", async (t) => {
  const { start, release, names, told } = setUp(t);
  release(1);
  const id = release(2);

  start();
  const before = await names();
  const second = told.get("alice-cart")?.[0];
  release(3);
  const after = await names();
  release(4, "failed");

  t.is(before, addressOf(2, 1));
  t.like(second, {
    release: id,
    fence: 2,
    createdAt: "2026-01-01T00:00:00.002Z",
    deployment: { service: "alice-cart", envVars: { number: "2" } },
  });
  t.is(after, addressOf(3, 2, 1));
  t.is(await names(), addressOf(3, 2, 1), "one that failed has none");
});

test("each commit counts once, its newest release has the address, and no more are kept than asked for", async (t) => {
  const { start, release, names, told } = setUp(t, 2);
  start();
  for (const number of [1, 2, 3]) release(number);

  const again = release(3);

  t.is(await names(), addressOf(3, 2));
  t.is(told.get("alice-cart")?.[0]?.release, again);
});

test("a roll-back changes no address, and its release has that of its commit", async (t) => {
  const { ledger, start, release, names, told } = setUp(t);
  start();
  for (const number of [1, 2]) release(number);
  const first = ledger.listReleases("alice-cart", 10).at(-1);
  if (first === undefined) throw new Error("nothing was released");

  const { id } = ledger.declareRollback(first);
  ledger.markRelease(id, "alice-cart", "serving");

  t.is(await names(), addressOf(1, 2));
  t.is(told.get("alice-cart")?.[0]?.release, id);
});

test("of a version that was rolled back to, what it was before is named for its secrets while it serves", async (t) => {
  const { ledger, start, release, names, told } = setUp(t);
  start();
  const one = release(1);
  const two = release(2);
  const [, first] = ledger.listReleases("alice-cart", 10);
  if (first === undefined) throw new Error("nothing was released");
  const secretsOf = () => told.get("alice-cart")?.map((version) => version.secretsOf);

  const { id } = ledger.declareRollback(first);
  ledger.markRelease(id, "alice-cart", "serving");
  await names();
  const serving = secretsOf();
  release(3);
  await names();

  t.deepEqual([first.id, serving], [one, [one, undefined]]);
  t.not(one, two);
  t.deepEqual(secretsOf(), [undefined, undefined, undefined]);
});

test("a version whose artefact is gone has no address any more", async (t) => {
  const { ledger, start, release, names } = setUp(t);
  start();
  for (const number of [1, 2, 3]) release(number);

  ledger.forgetArtifact(alice.id, "v1:2");

  t.is(await names(), addressOf(3, 1));
});

test("a function that is removed has no versions", async (t) => {
  const { ledger, start, release, names } = setUp(t);
  start();
  release(1);

  ledger.removeFunction("alice-cart");

  t.is(await names(), "");
});

test("one version can be removed, but not what serves, nor what is not there", async (t) => {
  const { ledger, start, release, names } = setUp(t);
  start();
  for (const number of [1, 2, 1, 3]) release(number);
  const asked: string[] = [];
  const gateway = { remove: async (name: string) => asked.push(name) > 0 };
  const tools = { ledger, gateway };
  const remove = (target: string) => removeFunctions(tools, target);

  const done = await remove(addressOf(1));

  t.deepEqual(done, { removed: [addressOf(1)] });
  t.is(await names(), addressOf(3, 2));
  t.deepEqual(asked, [], "no function goes");
  await t.throwsAsync(remove(addressOf(3)), {
    message: /is what "alice-cart" serves; push or roll/,
  });
  await t.throwsAsync(remove(addressOf(1)), {
    message: /no version .*; \.\/ofc versions alice-cart lists/,
  });
});
