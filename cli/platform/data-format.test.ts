import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { openLedger } from "#ledger/ledger.ts";
import { openDataFolder } from "./data-folder.ts";
import { FORMATS, type FormatStep, type Formats } from "./data-format.ts";

/** A folder of format 1 with a ledger that knows one delivery. */
async function setUp(t: ExecutionContext) {
  const path = await mkdtemp(join(tmpdir(), "format-"));
  t.teardown(() => rm(path, { recursive: true }));
  const data = await openDataFolder(path, { newest: 1, steps: [] });
  const ledger = openLedger({ path: join(path, "ledger.db") });
  ledger.recordDelivery({
    key: "forge:1",
    event: "push",
    receivedAt: 1,
    decision: "ignored",
    reason: "before",
    status: 200,
  });
  ledger.close();
  data.unlock();
  const formatOf = () => readFile(join(path, "format"), "utf8");
  return { path, formatOf };
}

const leave =
  (name: string): FormatStep =>
  async (path) =>
    writeFile(join(path, name), "");

test("this release's own list has one step for each format after the first", (t) => {
  t.is(FORMATS.steps.length, FORMATS.newest - 1);
});

test("an older folder is taken forward step by step, in order, and only once", async (t) => {
  const { path, formatOf } = await setUp(t);
  const done: string[] = [];
  const step =
    (name: string): FormatStep =>
    async () =>
      void done.push(`${name} at ${(await formatOf()).trim()}`);
  const formats: Formats = { newest: 3, steps: [step("one"), step("two")] };

  (await openDataFolder(path, formats)).unlock();
  (await openDataFolder(path, formats)).unlock();

  t.deepEqual(done, ["one at 1", "two at 2"]);
  t.is(await formatOf(), "3\n");
});

test("the databases are copied before the first step, as they were", async (t) => {
  const { path } = await setUp(t);
  const forget: FormatStep = () => rm(join(path, "ledger.db"));

  (await openDataFolder(path, { newest: 2, steps: [forget] })).unlock();

  const kept = join(path, "before-format-2");
  t.is(await readFile(join(kept, "format"), "utf8"), "1\n");
  t.is((await stat(join(kept, "ledger.db"))).mode & 0o777, 0o600);
  const ledger = openLedger({ path: join(kept, "ledger.db") });
  t.is(ledger.findDelivery("forge:1")?.reason, "before");
  ledger.close();
});

test("a step that fails is tried again at the next start, with the first copy kept", async (t) => {
  const { path, formatOf } = await setUp(t);
  const failing: FormatStep = async () => {
    await rm(join(path, "ledger.db"));
    throw new Error("the disk is full");
  };
  const formats = (second: FormatStep): Formats => ({ newest: 3, steps: [leave("first"), second] });

  await t.throwsAsync(openDataFolder(path, formats(failing)), { message: "the disk is full" });
  t.is(await formatOf(), "2\n");
  (await openDataFolder(path, formats(leave("second")))).unlock();

  t.is(await formatOf(), "3\n");
  const ledger = openLedger({ path: join(path, "before-format-2", "ledger.db") });
  t.is(ledger.findDelivery("forge:1")?.reason, "before");
  ledger.close();
});

test("a newer format is refused before anything is touched", async (t) => {
  const { path, formatOf } = await setUp(t);
  await writeFile(join(path, "format"), "4\n");
  const formats: Formats = { newest: 3, steps: [leave("first"), leave("second")] };

  await t.throwsAsync(openDataFolder(path, formats), { message: /has format 4, made by a newer/ });

  t.is(await formatOf(), "4\n");
  await t.throwsAsync(stat(join(path, "first")), { code: "ENOENT" });
});

test("a folder whose restore was not finished is refused", async (t) => {
  const { path } = await setUp(t);
  await writeFile(join(path, "restoring"), "");

  await t.throwsAsync(openDataFolder(path), { message: /was not finished. Run .\/ofc restore/ });
});
