import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { findIsolation } from "./isolation.ts";
import { formatMounts } from "./new-root.ts";
import { createReplicaFolder } from "./replica-folder.ts";
import { defaultSettings } from "./settings.ts";
import { startProcess } from "./start-process.ts";

const USER_ID = 61_998;
const REPLICA = {
  folder: "/data/one",
  artifactRoot: "/data/artifact",
  node: "/bin/node",
  project: undefined,
  tmpLimit: "64m",
};
const testAsRoot = process.getuid?.() === 0 ? test : test.skip;

test("a blank, a line's end, a backslash or a hash in a path stays within its field", (t) => {
  const lines = formatMounts(
    { path: "/root", hostFolders: [] },
    { ...REPLICA, artifactRoot: "/a b\tc\nd\\040e#f ro,suid" },
  ).split("\n");

  t.deepEqual(
    lines.filter((line) => line.includes("/home/app")),
    ["/a\\040b\\011c\\012d\\134040e\\043f\\040ro,suid /root/home/app none bind,ro,nosuid,nodev"],
  );
  t.deepEqual([...new Set(lines.map((line) => line.split(" ").length))], [4]);
});

test("the platform's own parts are there for the watchdog alone, and locked", (t) => {
  const root = { path: "/root", hostFolders: ["/usr"] };

  const without = formatMounts(root, REPLICA).split("\n");
  const added = formatMounts(root, { ...REPLICA, project: "/ofc" })
    .split("\n")
    .filter((line) => !without.includes(line));

  t.deepEqual(added, [
    "/ofc/watchdog /root/platform/watchdog none bind,ro,nosuid,nodev",
    "/ofc/sdk /root/platform/sdk none bind,ro,nosuid,nodev",
    "/ofc/node_modules /root/platform/node_modules none bind,ro,nosuid,nodev",
    "/ofc/package.json /root/platform/package.json none bind,ro,nosuid,nodev",
  ]);
});

testAsRoot("as root, replicas start where the data folder has an unusual name", async (t) => {
  const home = await mkdtemp(join(tmpdir(), "ofc root \\040 # 'é \" $(x) "));
  t.teardown(() => rm(home, { recursive: true, force: true }));
  const isolation = await findIsolation(home, defaultSettings);
  const folder = join(home, "a replica");
  await createReplicaFolder(folder, USER_ID);
  const app = join(home, "an artifact", "its files");
  await mkdir(app, { recursive: true });
  const command = ["sh", "-c", "pwd && ! touch here 2>&1"] as const;
  const artifact = { root: app, command, env: {} };

  const started = startProcess(isolation.launch({ artifact, folder, userId: USER_ID }), {
    PATH: "/usr/bin:/bin",
  });
  const printed = await Promise.all(started.output.map((stream) => stream.toArray()));
  const { code } = await started.ended;

  t.is(isolation.kind, "root-namespaces");
  t.is(code, 0);
  t.regex(
    printed.map((chunks) => Buffer.concat(chunks).toString()).join(""),
    /^\/home\/app\n.*Read-only/,
  );
});
