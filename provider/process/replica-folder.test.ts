import { mkdtemp, rm, stat, symlink } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { createReplicaFolder, lockSocket, SOCKET_PATH } from "./replica-folder.ts";

const USER_ID = 61_998;

// A folder closed for a moment made replicas fail that were setting their socket's mode just then.
test("a replica can reach its socket before, while and after the folder is taken from it", async (t) => {
  const home = await mkdtemp(join(tmpdir(), "ofc-replica-"));
  t.teardown(() => rm(home, { recursive: true, force: true }));
  await createReplicaFolder(home, USER_ID);
  const before = await stat(join(home, "socket"));
  const server = createServer().listen(join(home, SOCKET_PATH));
  t.teardown(() => server.close());

  const locked = await lockSocket(home);

  const after = await stat(join(home, "socket"));
  t.true(locked);
  t.deepEqual([before.mode & 0o777, after.mode & 0o777], [0o755, 0o755]);
  const root = process.getuid?.() === 0;
  t.deepEqual([before.uid, after.uid], root ? [USER_ID, 0] : [before.uid, before.uid]);
});

test("a link in the socket's place locks nothing", async (t) => {
  const home = await mkdtemp(join(tmpdir(), "ofc-replica-"));
  t.teardown(() => rm(home, { recursive: true, force: true }));
  await createReplicaFolder(home, USER_ID);
  await symlink("/run/platform.sock", join(home, SOCKET_PATH));

  t.false(await lockSocket(home));
});
