import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { openDatabase } from "./database.ts";
import { createDeliveries } from "./deliveries.ts";
import { createRepositories } from "./repositories.ts";
import { createUsers } from "./users.ts";

test("a delivery waits for its time, unless the clock went back", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "forge-deliveries-"));
  const database = openDatabase(join(folder, "forge.db"));
  t.teardown(async () => {
    database.close();
    await rm(folder, { recursive: true, force: true });
  });
  let now = 1_000_000_000;
  const clock = () => now;
  const { user } = createUsers(database, clock).createToken("alice");
  const { id } = createRepositories(database, clock).ensure(user, "shop", 1);
  const deliveries = createDeliveries(database, clock);
  const change = { ref: "refs/heads/main", before: "0".repeat(40), after: "1".repeat(40) };
  const [made] = deliveries.announce(id, [change], [change]);
  const count = () => deliveries.listDue(10).length;

  const fresh = count();
  deliveries.recordAttempt(made?.id ?? 0, {
    state: "pending",
    status: 503,
    answer: "",
    durationMs: 1,
    nextAt: now + 1_000,
  });
  const waiting = count();
  now += 1_000;
  const due = count();
  now -= 24 * 3_600_000;

  t.deepEqual([fresh, waiting, due, count()], [1, 0, 1, 1]);
});
