import test, { type ExecutionContext } from "ava";
import { goLive } from "#ledger/test-support/go-live.ts";
import {
  buildOf,
  claim,
  plannedFunction,
  planOf,
  push,
  releaseDraft,
  setUp as setUpLedger,
  shaOf,
} from "#ledger/test-support/set-up.ts";
import { HttpError } from "#sdk/errors.ts";
import { labels } from "#sdk/labels.ts";
import { silentLog } from "#sdk/log.ts";
import { deployedFunction } from "../../test/helpers/loopback-gateway.ts";
import { collectSecrets } from "./collect-secrets.ts";

const draft = releaseDraft();
const DAY_MS = 86_400_000;

/** The sweep of an engine that stores these secrets. */
function setUp(t: ExecutionContext, ...names: string[]) {
  const { ledger, now, wait } = setUpLedger(t);
  const stored = new Set(names);
  /** Of a function that no push made. */
  const byHand: string[] = [];
  const taken: string[] = [];
  const engine = {
    listSecrets: async () => [...stored],
    inventory: async () => [
      {
        name: "by-hand",
        current: { release: "manual", fence: 1 },
        status: { ...deployedFunction("by-hand"), secrets: byHand },
      },
    ],
    async removeSecret(name: string): Promise<void> {
      stored.delete(name);
      if (taken.includes(name)) throw new HttpError(404, "not-found", "It is gone.");
    },
  };
  const settings = { keepReleases: 2, keepSecretsMs: 30 * DAY_MS };
  let pushes = 0;

  return {
    ledger,
    stored,
    byHand,
    taken,
    wait: (days: number) => wait(days * DAY_MS),
    collect: () => collectSecrets({ ledger, settings, log: silentLog, engine }, now()),
    /** A push after which alice-cart serves with these secrets. */
    serve(...secrets: string[]): void {
      pushes += 1;
      const sha = shaOf(pushes);
      const deployment = { ...draft.deployment, labels: { [labels.gitSha]: sha }, secrets };
      goLive(ledger, { sha, release: { id: sha, digest: "sha256:v1:cart", deployment } });
    },
  };
}

test("a secret goes thirty days after the last function that had it, one that nobody had yet stays", async (t) => {
  const { ledger, serve, collect, wait, stored } = setUp(t, "alice-db", "alice-new");
  serve("alice-db");
  wait(90);
  await collect();
  ledger.removeFunction("alice-cart");

  wait(29);
  const early = await collect();
  wait(1);
  const late = await collect();

  t.deepEqual(early, []);
  t.deepEqual(late, ["alice-db"]);
  t.deepEqual([...stored], ["alice-new"]);
});

test("a secret that stack.yml no longer names stays while the function can go back to a version that had it", async (t) => {
  const { serve, collect, wait, stored } = setUp(t, "alice-db", "alice-mail");
  serve("alice-db", "alice-mail");
  serve("alice-mail");
  wait(31);
  const canGoBack = await collect();
  serve("alice-mail");
  wait(31);

  const dropped = await collect();

  t.deepEqual(canGoBack, []);
  t.deepEqual(dropped, ["alice-db"]);
  t.deepEqual([...stored], ["alice-mail"]);
});

test("a secret that is deployed by hand, or about to be pushed, is in use", async (t) => {
  const { ledger, collect, wait, byHand } = setUp(t, "alice-db", "shared");
  const cart = plannedFunction("cart");
  const held = claim(ledger, buildOf(ledger.acceptPush(push())));
  const deployment = { ...cart.deployment, secrets: ["alice-db"] };
  ledger.storePlan(held, planOf({ ...cart, deployment }), []);
  byHand.push("shared");
  await collect();
  wait(31);
  const inUse = await collect();
  ledger.endBuild(held, "failed", "it broke", []);
  byHand.pop();
  wait(31);

  t.deepEqual(inUse, []);
  t.deepEqual(await collect(), ["alice-db", "shared"]);
});

test("a secret that somebody else removes at the same time does not stop the sweep", async (t) => {
  const { ledger, serve, collect, wait, stored, taken } = setUp(t, "alice-a", "alice-b");
  serve("alice-a", "alice-b");
  await collect();
  ledger.removeFunction("alice-cart");
  wait(31);
  taken.push("alice-a");

  t.deepEqual(await collect(), ["alice-a", "alice-b"]);
  t.deepEqual([...stored], []);
});
