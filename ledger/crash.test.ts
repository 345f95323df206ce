import { spawn } from "node:child_process";
import { once } from "node:events";
import { DatabaseSync } from "node:sqlite";
import { text } from "node:stream/consumers";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import test from "ava";
import { openLedger } from "./ledger.ts";
import { findBreaches, isOpen } from "./test-support/invariants.ts";
import { LEASE_MS, planOf, setUp } from "./test-support/set-up.ts";
import type { Ledger } from "./types/ledger.ts";

const KILLS = 10;
const WRITER = fileURLToPath(new URL("test-support/crash-writer.ts", import.meta.url));

// Lines 1, 3, 5, 9 and 11.
test("what the ledger promised holds after each of ten kills in the middle of its work", async (t) => {
  const { path } = setUp(t);

  for (let round = 1; round <= KILLS; round++) {
    const promises = await writeUntilKilled(path, round, Math.random() * 60);
    const ledger = openLedger({ path });

    t.true(promises.length > 0, `round ${round} did nothing`);
    t.deepEqual(listBroken(ledger, promises), [], `round ${round}`);
    t.deepEqual(findBreaches(ledger), [], `round ${round}`);
    t.deepEqual(findDamage(path), [], `round ${round}`);
    ledger.close();
  }

  const ledger = openLedger({ path });
  t.teardown(() => ledger.close());
  finishAll(ledger);
  t.deepEqual(ledger.listUnleased(), []);
  t.deepEqual(findBreaches(ledger), []);
});

function finishAll(ledger: Ledger): void {
  ledger.voidLeases();
  for (const { id } of ledger.listUnleased()) {
    const claim = ledger.claimBuild(id, "last", LEASE_MS);
    if (claim === undefined) continue;
    ledger.storePlan(claim, planOf(), []);
    if (ledger.beginDeploying(claim)) ledger.endBuild(claim, "live", "", []);
  }
}

type Promised = { readonly id: string; readonly state: string };

/** Lets a writer run for a while after its first promise, kills it, and answers all it promised. */
async function writeUntilKilled(path: string, round: number, ms: number): Promise<Promised[]> {
  const writer = spawn(process.execPath, [WRITER, path, String(round)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const gone = once(writer, "exit");
  const said = text(writer.stdout);
  await Promise.race([once(writer.stdout, "data"), gone]);
  await setTimeout(ms);
  writer.kill("SIGKILL");
  await gone;
  const lines = (await said).split("\n").slice(0, -1);
  return lines.map((line) => {
    const [id = "", state = ""] = line.split(" ");
    return { id, state };
  });
}

/** A build that was promised is there, and one that was promised to have ended is as it was told. */
function listBroken(ledger: Ledger, promises: readonly Promised[]): Promised[] {
  return promises.filter(({ id, state }) => {
    const build = ledger.findBuild(id);
    if (build === undefined) return true;
    return state !== "accepted" && (isOpen(build) || build.state !== state);
  });
}

/** What SQLite itself finds wrong, rows without their parents included. */
function findDamage(path: string): unknown[] {
  const file = new DatabaseSync(path);
  try {
    const health = file.prepare("PRAGMA integrity_check").all();
    const orphans = file.prepare("PRAGMA foreign_key_check").all();
    return [...health.filter((row) => row.integrity_check !== "ok"), ...orphans];
  } finally {
    file.close();
  }
}
