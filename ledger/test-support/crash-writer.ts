import { writeSync } from "node:fs";
import { openLedger } from "../ledger.ts";
import type { Claim } from "../types/build.ts";
import type { Ledger } from "../types/ledger.ts";
import { deployUp, plannedFunction, planOf, push, releaseDraft, shaOf } from "./set-up.ts";

/**
 * A platform that works until it is killed: `node crash-writer.ts <ledger file> <round>`. Each line on
 * stdout, `<build id> <state>`, is printed after the ledger has promised it.
 */
const [path = "", round = "0"] = process.argv.slice(2);
const ledger = openLedger({ path });
ledger.voidLeases();

for (let turn = 0; ; turn++) {
  const pushed = push({ sha: shaOf(turn % 50), deliveryKey: `forge:${round}-${turn}` });
  const { build } = ledger.acceptPush({ ...pushed, branch: turn % 3 === 0 ? "dev" : "main" });
  if (build !== undefined) say(build.id, "accepted");
  for (const open of ledger.listUnleased()) {
    const claim = ledger.claimBuild(open.id, `round ${round}`, 60_000);
    if (claim !== undefined) work(ledger, claim, turn);
  }
}

function work(at: Ledger, claim: Claim, turn: number): void {
  const { id } = claim.build;
  at.addEvent(id, { v: 1, at: turn, type: "fetched", ms: 1 });
  if (turn % 5 === 0) {
    at.endBuild(claim, "failed", "stack.yml is missing", []);
    say(id, "failed");
    return;
  }
  deployUp(at, claim, planOf(plannedFunction("cart")));
  const { generation, branch } = claim.build;
  const release = at.declareRelease(
    claim,
    releaseDraft("alice-cart", `${round} ${branch} ${generation}`),
  );
  at.markRelease(release.id, release.service, "serving");
  at.endBuild(claim, "live", "", []);
  say(id, "live");
}

/** Straight to the pipe: what is printed was promised, and what was promised is printed before more is. */
function say(id: string, state: string): void {
  writeSync(1, `${id} ${state}\n`);
}
