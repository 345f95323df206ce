import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createZstdCompress } from "node:zlib";
import test, { type ExecutionContext } from "ava";
import { type Header, pack } from "tar-stream";
import { openLedger } from "#ledger/ledger.ts";
import { openDataFolder } from "../platform/data-folder.ts";
import { backUp } from "./back-up.ts";
import { restore } from "./restore.ts";

const say = () => {};
const HEX = "a".repeat(64);

async function setUp(t: ExecutionContext) {
  const folder = await mkdtemp(join(tmpdir(), "restore-"));
  t.teardown(() => rm(folder, { recursive: true }));
  return {
    folder,
    file: join(folder, "backup.tar.zst"),
    target: join(folder, "target"),
    outside: join(folder, "outside"),
  };
}

type Made = readonly [header: Partial<Header> & { name: string }, content?: string];

const HEADER = {
  v: 1,
  format: 1,
  release: "0.1.0",
  engine: "process",
  createdAt: "2026-01-01T00:00:00Z",
};
const FORMAT: Made = [{ name: "data/format" }, "1\n"];

/** A backup whose manifest agrees with its entries, unless the test gives another one. */
async function makeBackup(
  file: string,
  entries: readonly Made[],
  { header = HEADER as object, manifest }: { header?: object; manifest?: readonly object[] } = {},
): Promise<void> {
  const tar = pack();
  tar.entry({ name: "backup.json" }, JSON.stringify(header));
  for (const [one, content = ""] of entries) tar.entry(one, content);
  const listed = manifest ?? entries.map(describeEntry);
  tar.entry({ name: "manifest.json" }, JSON.stringify({ v: 1, entries: listed }));
  tar.finalize();
  await pipeline(tar, createZstdCompress(), createWriteStream(file));
}

function describeEntry([{ name, type = "file", linkname }, content = ""]: Made): object {
  const path = name.replace(/^data\//, "");
  if (type === "directory") return { kind: "folder", path };
  if (type === "symlink") return { kind: "link", path, target: linkname };
  const sha256 = createHash("sha256").update(content).digest("hex");
  return { kind: "file", path, sizeBytes: content.length, sha256 };
}

/** A stopped platform's folder with a function's artefact in it. */
async function makeDataFolder(folder: string): Promise<string> {
  const path = join(folder, "data");
  (await openDataFolder(path)).unlock();
  await writeFile(join(path, "engine/kind"), "process\n");
  await mkdir(join(path, "git/forge"));
  openLedger({ path: join(path, "ledger.db") }).close();
  const root = join(path, "artifacts", HEX, "root");
  await mkdir(join(root, "bin"), { recursive: true });
  await writeFile(join(root, "yarn.lock"), "a lock");
  await writeFile(join(root, "bin/run.sh"), "#!/bin/sh\n", { mode: 0o755 });
  await symlink("../yarn.lock", join(root, "bin/link"));
  return path;
}

test("what a backup took of a folder, a restore brings back: contents, modes and links", async (t) => {
  const { folder, file, target } = await setUp(t);
  const dataFolder = await makeDataFolder(folder);
  await writeFile(join(dataFolder, "secrets/half.tmp"), "");

  const taken = await backUp({ dataFolder, file, say });
  const report = await restore({ dataFolder: target, file, say });

  t.like(taken, { running: false, format: 1, engine: "process" });
  t.is(report.entries, taken.entries);
  const root = join(target, "artifacts", HEX, "root");
  t.is(await readFile(join(root, "bin/link"), "utf8"), "a lock");
  t.is((await stat(join(root, "bin/run.sh"))).mode & 0o777, 0o755);
  t.is((await stat(join(target, "secrets/payload-secret"))).mode & 0o777, 0o600);
  t.false((await readdir(join(target, "secrets"))).includes("half.tmp"));
  t.deepEqual((await readdir(target)).sort(), [
    "artifacts",
    "engine",
    "format",
    "git",
    "ledger.db",
    "lock",
    "objects",
    "secrets",
  ]);
  (await openDataFolder(target)).unlock();
});

test("an artefact that the ledger names and the disk does not have is not promised", async (t) => {
  const { folder, file, target } = await setUp(t);
  const dataFolder = await makeDataFolder(folder);
  const ledger = openLedger({ path: join(dataFolder, "ledger.db") });
  const artifact = { ownerId: "forge:1", image: "i", sizeBytes: 1, createdAt: 1 };
  await writeFile(join(dataFolder, "artifacts", HEX, "artifact.json"), "{}");
  ledger.recordArtifact({ ...artifact, key: "v1:there", digest: `sha256:${HEX}` });
  ledger.recordArtifact({ ...artifact, key: "v1:gone", digest: `sha256:${"b".repeat(64)}` });

  await backUp({ dataFolder, file, say });
  await restore({ dataFolder: target, file, say });

  const restored = openLedger({ path: join(target, "ledger.db") });
  t.deepEqual(
    restored.listArtifacts().map(({ key }) => key),
    ["v1:there"],
  );
  t.is(ledger.listArtifacts().length, 2);
  restored.close();
  ledger.close();
});

const link = (name: string, linkname: string): Made => [{ name, type: "symlink", linkname }];
const HOSTILE: Readonly<Record<string, Made>> = {
  "an absolute path": [{ name: "/outside/x" }, "x"],
  "a path beside the data": [{ name: "elsewhere" }, "x"],
  "a path that climbs": [{ name: "data/../../outside/x" }, "x"],
  "a path that climbs within": [{ name: "data/git/../format" }, "x"],
  "a part that no data folder has": [{ name: "data/run/admin.sock" }, "x"],
  "the lock": [{ name: "data/lock" }, "x"],
  "a name that is too long": [{ name: `data/git/${"n".repeat(256)}` }, "x"],
  "a link of the forge": link("data/git/forge/1.git", "../../../outside"),
  "an absolute link": link(`data/artifacts/${HEX}/root/x`, "/etc"),
  "a link that leaves its artefact": link(`data/artifacts/${HEX}/root/a/x`, "../../y"),
  "a link in place of an artefact": link(`data/artifacts/${HEX}`, "b"),
  "a hard link": [{ name: "data/format", type: "link", linkname: "data/x" }],
  "a device": [{ name: "data/format", type: "character-device" }],
};

for (const [what, made] of Object.entries(HOSTILE)) {
  test(`${what} is refused, and nothing is left of the restore`, async (t) => {
    const { folder, file, target } = await setUp(t);
    await makeBackup(file, [made]);

    await t.throwsAsync(restore({ dataFolder: target, file, say }), {
      message: /^This is no whole backup: .* Nothing was restored\.$/s,
    });

    t.deepEqual((await readdir(folder)).sort(), ["backup.tar.zst", "target"]);
    t.deepEqual(
      (await readdir(target)).filter((name) => !name.startsWith("lock")),
      [],
    );
  });
}

test("a link is made last, so that nothing is written through it", async (t) => {
  const { file, target, outside } = await setUp(t);
  await mkdir(outside);
  const root = `data/artifacts/${HEX}/root`;
  await makeBackup(file, [link(`${root}/a`, "b"), [{ name: `${root}/a/x` }, "x"]]);

  await t.throwsAsync(restore({ dataFolder: target, file, say }));

  t.deepEqual(await readdir(outside), []);
});

const sha256 = createHash("sha256").update("1\n").digest("hex");
const asListed = { kind: "file", path: "format", sizeBytes: 2, sha256 };
for (const [what, entries, manifest, message] of [
  ["changed", [FORMAT], [{ ...asListed, sha256: HEX }], /format is not what the manifest says/],
  ["missing", [], [asListed], /it has 0 entries, its manifest 1/],
  ["added", [FORMAT], [], /it has 1 entries, its manifest 0/],
  ["doubled", [FORMAT, FORMAT], [asListed], /format is in it twice/],
] as const) {
  test(`an entry that was ${what} is refused`, async (t) => {
    const { file, target } = await setUp(t);
    await makeBackup(file, entries, { manifest });

    await t.throwsAsync(restore({ dataFolder: target, file, say }), { message });
  });
}

for (const [what, change] of [
  ["layout", { v: 2 }],
  ["data format", { format: 2 }],
] as const) {
  test(`a backup of a newer ${what} is refused`, async (t) => {
    const { file, target } = await setUp(t);
    await makeBackup(file, [FORMAT], { header: { ...HEADER, ...change, release: "9.0.0" } });

    await t.throwsAsync(restore({ dataFolder: target, file, say }), {
      message: /of release 9\.0\.0 .* this one reads up to layout 1 and format 1/,
    });
  });
}

test("half a backup, and a file that is none, are refused", async (t) => {
  const { folder, file, target } = await setUp(t);
  await backUp({ dataFolder: await makeDataFolder(folder), file, say });
  const whole = await readFile(file);

  for (const bytes of [
    whole.subarray(0, whole.length / 2),
    Buffer.from("no backup"),
    Buffer.of(),
  ]) {
    await writeFile(file, bytes);
    await t.throwsAsync(restore({ dataFolder: target, file, say }), {
      message: /^This is no whole backup: /,
    });
  }
});

test("a restore that was interrupted is begun anew by the next one", async (t) => {
  const { file, target } = await setUp(t);
  await makeBackup(file, [FORMAT]);
  await mkdir(join(target, "restoring/secrets"), { recursive: true });
  await writeFile(join(target, "ledger.db"), "half");

  await restore({ dataFolder: target, file, say });

  t.deepEqual(
    (await readdir(target)).filter((name) => !name.startsWith("lock")),
    ["format"],
  );
});

test("a file that does not exist leaves no folder that looks filled", async (t) => {
  const { folder, target } = await setUp(t);

  await t.throwsAsync(restore({ dataFolder: target, file: join(folder, "none"), say }), {
    code: "ENOENT",
  });
  await restoreWorks(t, folder, target);
});

async function restoreWorks(t: ExecutionContext, folder: string, target: string): Promise<void> {
  const file = join(folder, "good");
  await makeBackup(file, [FORMAT]);
  await t.notThrowsAsync(restore({ dataFolder: target, file, say }));
}
