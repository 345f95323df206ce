import { spawn } from "node:child_process";
import { createPrivateKey } from "node:crypto";
import { once } from "node:events";
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { openDataFolder, runFolderOf } from "./data-folder.ts";

async function setUp(t: ExecutionContext) {
  const parent = await mkdtemp(join(tmpdir(), "data-"));
  t.teardown(() => rm(parent, { recursive: true }));
  return join(parent, "ofc");
}

const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);

async function readAll(folder: string): Promise<Record<string, string>> {
  const names = (await readdir(folder)).sort();
  const contents = await Promise.all(names.map((name) => readFile(join(folder, name), "utf8")));
  return Object.fromEntries(names.map((name, index) => [name, contents[index] ?? ""]));
}

test("a first start makes the folder, its format and its secrets, for this user alone", async (t) => {
  const path = await setUp(t);

  const data = await openDataFolder(path);
  t.teardown(data.unlock);

  t.true(data.fresh);
  t.is(await readFile(join(path, "format"), "utf8"), "1\n");
  t.is(data.run, join(path, "run"));
  for (const folder of [path, data.secrets, data.run]) t.is(await modeOf(folder), "700", folder);
  const secrets = await readAll(data.secrets);
  t.deepEqual(Object.keys(secrets), [
    "basic-auth-password",
    "basic-auth-user",
    "build-key",
    "forge-webhook-secret",
    "github-webhook-secret",
    "payload-secret",
    "private-key",
  ]);
  for (const name of Object.keys(secrets))
    t.is(await modeOf(join(data.secrets, name)), "600", name);
  t.is(secrets["basic-auth-user"], "admin\n");
  t.is(createPrivateKey(secrets["private-key"] ?? "").asymmetricKeyType, "rsa");
  t.is(Buffer.from(secrets["build-key"] ?? "", "base64").length, 32);
  const random = Object.entries(secrets).filter(([name]) => /secret|password/.test(name));
  for (const [name, value] of random) t.regex(value, /^[0-9a-f]{64}\n$/, name);
  t.is(new Set(random.map(([, value]) => value)).size, 4);
});

test("a later start keeps every secret, and makes anew only what is missing or empty", async (t) => {
  const path = await setUp(t);
  const first = await openDataFolder(path);
  first.unlock();
  const before = await readAll(first.secrets);
  await writeFile(join(first.secrets, "github-webhook-secret"), "from GitHub\n");
  await writeFile(join(first.secrets, "payload-secret"), "");
  await rm(join(first.secrets, "basic-auth-user"));

  const second = await openDataFolder(path);
  t.teardown(second.unlock);

  t.false(second.fresh);
  const after = await readAll(second.secrets);
  t.deepEqual(
    { ...after, "payload-secret": "" },
    { ...before, "github-webhook-secret": "from GitHub\n", "payload-secret": "" },
  );
  t.regex(after["payload-secret"] ?? "", /^[0-9a-f]{64}\n$/);
  t.not(after["payload-secret"], before["payload-secret"]);
});

test("a second platform on the folder is told so, and may start once the first has stopped", async (t) => {
  const path = await setUp(t);
  const first = await openDataFolder(path);

  await t.throwsAsync(openDataFolder(path), {
    message: `Another platform runs on ${path}; stop it first, or give this one its own folder with --data DIR.`,
  });
  first.unlock();

  const second = await openDataFolder(path);
  second.unlock();
});

/** Takes the lock and keeps it until it is killed. */
const HOLDER = `
const { openDataFolder } = await import(process.argv[1]);
await openDataFolder(process.argv[2]);
process.stdout.write("locked");
setInterval(() => {}, 1_000);
`;

test("a platform in another process holds the lock for as long as it lives, and not longer", async (t) => {
  const path = await setUp(t);
  const module = join(import.meta.dirname, "data-folder.ts");
  const args = ["--disable-warning=ExperimentalWarning", "--input-type=module", "--eval"];
  const holder = spawn(process.execPath, [...args, HOLDER, module, path], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.teardown(() => holder.kill("SIGKILL"));
  const gone = once(holder, "exit");
  await Promise.race([once(holder.stdout, "data"), gone]);

  await t.throwsAsync(openDataFolder(path), { message: /^Another platform runs on / });
  holder.kill("SIGKILL");
  await gone;

  const data = await openDataFolder(path);
  data.unlock();
});

for (const [content, message] of [
  ["2\n", /has format 2, made by a newer release; this one reads up to 1\. Upgrade, or use/],
  ["", /format holds ""; expected a whole number/],
  ["one", /format holds "one"; expected a whole number/],
  ["0", /format holds "0"; expected a whole number/],
] as const) {
  test(`a format of ${JSON.stringify(content)} is refused, and the lock let go`, async (t) => {
    const path = await setUp(t);
    await mkdir(path);
    await writeFile(join(path, "format"), content);

    await t.throwsAsync(openDataFolder(path), { message });
    t.deepEqual((await readdir(path)).sort(), ["format", "lock"]);
    await rm(join(path, "format"));

    const data = await openDataFolder(path);
    data.unlock();
  });
}

test("a file where the folder should be is an error that names it", async (t) => {
  const path = await setUp(t);
  await writeFile(path, "");

  await t.throwsAsync(openDataFolder(path), { message: new RegExp(path) });
});

test("a path too long for sockets gets a short run folder of its own, for this user alone", async (t) => {
  const path = join(await setUp(t), "a-folder-with-a-long-name/".repeat(4), "ofc");

  const data = await openDataFolder(path);
  t.teardown(async () => {
    data.unlock();
    await rm(data.run, { recursive: true });
  });

  t.is(data.run, runFolderOf(path));
  t.true(data.run.startsWith(join(tmpdir(), "ofc-")));
  t.true(Buffer.byteLength(data.run) <= 66);
  t.is(await modeOf(data.run), "700");
  t.not(runFolderOf(`${path}2`), data.run);
});

test("a link that waits in place of the short run folder is refused, and what it leads to left alone", async (t) => {
  const path = join(await setUp(t), "a-folder-with-a-long-name/".repeat(4), "ofc");
  const target = join(path, "../target");
  await mkdir(target, { recursive: true });
  await chmod(target, 0o755);
  await symlink(target, runFolderOf(path));
  t.teardown(() => rm(runFolderOf(path)));

  await t.throwsAsync(openDataFolder(path), { message: /is not a folder; remove it/ });

  t.is(await modeOf(target), "755");
});

test("what a platform that was killed had half written or half deleted is removed at the start", async (t) => {
  const path = await setUp(t);
  const halves = [
    "objects/v1/forge:1/forge:1/b/cart.log.12-ab.tmp",
    "git/mirrors/github/1.git.old-e380dbfc-bb51/objects/pack/a.pack",
    "git/hooks/post-receive.12-ab.tmp",
    "git/forge/1.git/HEAD.12-ab.tmp",
    "builder/base-images.json.12-ab.tmp",
    "format.12-ab.tmp",
  ].map((half) => join(path, half));
  const mirror = join(path, "git/mirrors/github/1.git/HEAD");
  for (const file of [...halves, mirror]) {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, "half");
  }

  const data = await openDataFolder(path);
  data.unlock();

  for (const half of halves) await t.throwsAsync(readFile(half), { code: "ENOENT" });
  await t.throwsAsync(readFile(dirname(dirname(dirname(halves[1] ?? "")))), { code: "ENOENT" });
  t.is(await readFile(mirror, "utf8"), "half");
});
