import type { ExecutionContext } from "ava";
import { type DriverReport, runDriver } from "./driver.ts";

const SEED = Number(process.env.FAULT_SEED ?? Date.now() % 1_000_000);

/** Have the driver kill an engine's platform so often, and see that nothing was broken or left behind. */
export async function testKills(
  t: ExecutionContext,
  engine: "process" | "docker",
  kills: number,
): Promise<DriverReport> {
  t.timeout(30 * 60_000);
  t.log(`seed ${SEED}; FAULT_SEED=${SEED} repeats its choices`);

  const say = (text: string) => t.log(text);
  const report = await runDriver({ kills, seed: SEED, engine, queue: "redis", say });

  const { seconds, spent, breaches, leftovers, folder } = report;
  t.log(`${seconds} s: ${JSON.stringify(spent)}, kills ${JSON.stringify(report.kills)}`);
  t.deepEqual(breaches, [], folder);
  t.deepEqual(leftovers, [], folder);
  return report;
}
