import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { openEngineFolder } from "./engine-folder.ts";
import { openSecretStore, type SecretStore } from "./secret-store.ts";

test("an update keeps the old value in a file for its user alone, under an id that tells nothing", async (t) => {
  const { folder, open } = await setUp(t);
  const store = await open();
  await store.create(secret("old"));
  const id = required(store.idOf("key"));

  await store.update(secret("new"));

  const path = join(folder, "engine/secrets-earlier/key", id);
  t.deepEqual(await texts(store, id), ["new", "old"]);
  t.is((await stat(path)).mode & 0o777, 0o600);
  t.is((await stat(join(path, ".."))).mode & 0o777, 0o700);
  t.regex(id, /^[0-9a-f]{32}$/);
  const other = await (await setUp(t)).open();
  await other.create(secret("old"));
  t.not(other.idOf("key"), id, "another data folder has another key");
});

test("ids are the same after a restart, for equal values alone, and each secret's own", async (t) => {
  const { open } = await setUp(t);
  const store = await open();
  await store.create(secret("value"));
  await store.create({ ...secret("value"), name: "twin" });
  const id = required(store.idOf("key"));
  await store.update(secret("other"));
  const changed = store.idOf("key");

  const again = await open();
  const reopened = again.idOf("key");
  await again.update(secret("value"));

  t.is(reopened, changed);
  t.not(changed, id);
  t.is(again.idOf("key"), id);
  t.not(again.idOf("twin"), id);
});

test("what is removed or forgotten is gone from the disk; forgetting leaves the value of now", async (t) => {
  const { folder, open } = await setUp(t);
  const store = await open();
  const earlier = join(folder, "engine/secrets-earlier");
  for (const name of ["key", "kept"]) await store.create({ ...secret("old"), name });
  const id = required(store.idOf("key"));
  for (const name of ["key", "kept"]) await store.update({ ...secret("new"), name });

  await store.forgetEarlier("key");
  const forgotten = [store.isKept("key", id), await text(store, id), await readdir(earlier)];
  await store.update(secret("newest"));
  await store.remove("key");

  t.deepEqual(forgotten, [false, "new", ["kept"]]);
  t.deepEqual(await readdir(earlier), ["kept"]);
  t.deepEqual(await store.list(), ["kept"]);
  for (const missing of [
    store.forgetEarlier("key"),
    store.remove("key"),
    store.update(secret("x")),
  ])
    await t.throwsAsync(missing, { message: 'Secret "key" does not exist.' });
  await t.throwsAsync(store.forgetEarlier("../key"), { message: /is not a DNS name/ });
});

test("a sweep removes what nobody uses and nothing else", async (t) => {
  const { folder, open } = await setUp(t);
  const store = await open();
  await store.create(secret("1"));
  const ids: string[] = [];
  for (const value of ["2", "3", "4"]) {
    ids.push(required(store.idOf("key")));
    await store.update(secret(value));
  }

  await store.sweep((id) => id === ids[1]);
  const kept = ids.map((id) => store.isKept("key", id));
  const left = await readdir(join(folder, "engine/secrets-earlier/key"));
  await store.sweep(() => false);

  t.deepEqual([kept, left], [[false, true, false], [ids[1]]]);
  t.deepEqual(await readdir(join(folder, "engine/secrets-earlier")), []);
  t.is(await text(store), "4");
});

test("an update that was cut short after any of its steps can be made again", async (t) => {
  const { folder, open } = await setUp(t);
  const first = await open();
  await first.create(secret("old"));
  const id = required(first.idOf("key"));
  const archive = join(folder, "engine/secrets-earlier/key");
  await mkdir(archive);
  await writeFile(join(archive, `${id}.1-x.tmp`), "ha");
  const halfway = await open();
  const cleared = [await readdir(archive), halfway.isKept("key", id)];
  await writeFile(join(archive, id), "old");

  const store = await open();
  const before = await texts(store, id);
  await store.update(secret("new"));

  t.deepEqual(cleared, [[], false]);
  t.deepEqual(before, ["old", "old"]);
  t.deepEqual(await texts(store, id), ["new", "old"]);
});

test("a secret that cannot be read keeps no other from being there", async (t) => {
  const { folder, open } = await setUp(t);
  await (await open()).create(secret("value"));
  await mkdir(join(folder, "engine/secrets/broken"));

  const store = await open();

  t.is(await text(store), "value");
  t.is(store.idOf("broken"), undefined);
  await t.throwsAsync(store.read("broken"), { message: /"broken" cannot be read \(EISDIR\)/ });
});

test("the key of the ids is for its user alone, and made once", async (t) => {
  const { folder, open } = await setUp(t);
  const path = join(folder, "engine/secrets-key");

  await open();
  const key = await readFile(path, "utf8");
  await open();

  t.regex(key, /^[0-9a-f]{64}$/);
  t.is(await readFile(path, "utf8"), key);
  t.is((await stat(path)).mode & 0o777, 0o600);
});

async function setUp(t: ExecutionContext) {
  const folder = await mkdtemp(join(tmpdir(), "ofc-secrets-"));
  t.teardown(() => rm(folder, { recursive: true }));
  return { folder, open: async () => openSecretStore(await openEngineFolder(folder)) };
}

function secret(value: string) {
  return { name: "key", value: Buffer.from(value) };
}

async function text(store: SecretStore, id?: string): Promise<string> {
  return Buffer.from(await store.read("key", id)).toString("utf8");
}

/** Now, and of that id. */
async function texts(store: SecretStore, id: string): Promise<string[]> {
  return [await text(store), await text(store, id)];
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("It is not there.");
  return value;
}
