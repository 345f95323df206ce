import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { openDatabase } from "./database.ts";
import { createInstallationTokens } from "./installation-tokens.ts";
import { createUsers } from "./users.ts";

test("an installation token works for one hour, unless it is revoked before", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "forge-tokens-"));
  const database = openDatabase(join(folder, "forge.db"));
  t.teardown(async () => {
    database.close();
    await rm(folder, { recursive: true, force: true });
  });
  let now = 1_000_000;
  const { user } = createUsers(database, () => now).createToken("alice");
  const tokens = createInstallationTokens(database, () => now);
  const scope = { userId: user.id, repositoryIds: [3], permissions: { contents: "read" } } as const;
  const first = tokens.create(scope);
  const second = tokens.create(scope);

  tokens.revoke(second.token);
  now += 59 * 60_000;
  const before = tokens.find(first.token);
  now += 60_000;

  t.deepEqual(before, { ...scope, expiresAt: 1_000_000 + 3_600_000 });
  t.is(tokens.find(second.token), undefined);
  t.is(tokens.find(first.token), undefined);
});
