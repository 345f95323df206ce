import { openLedger } from "../ledger.ts";
import type { Retention } from "../types/retention.ts";

/**
 * Prune row by row until the process kills itself around the n-th commit:
 * `node crash-pruner.ts <ledger file> <now> <retention as JSON> <n> before|after`.
 */
const [path = "", now = "", retention = "", count = "", moment = ""] = process.argv.slice(2);
let commits = 0;
const ledger = openLedger({
  path,
  now: () => Number(now),
  onWrite(point) {
    if (point === "prune:before") commits += 1;
    if (commits === Number(count) && point === `prune:${moment}`) process.kill(process.pid, 9);
  },
});
const limits: Retention = JSON.parse(retention);
while (Object.values(ledger.prune(limits, 1)).some((dropped) => dropped > 0));
