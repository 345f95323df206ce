import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";

const project = join(import.meta.dirname, "../..");

test("the page of threats names a test that is there for each of its numbers", async (t) => {
  const page = await readFile(join(project, "docs/threats.md"), "utf8");
  const rows = [...page.matchAll(/^\| (\d+) +\|.*\|.*\|(.*)\|$/gm)];

  const files = rows.map(([, number, cell = ""]) => ({
    number: Number(number),
    files: [...cell.matchAll(/`([^`]+)`/g)].map(([, file = ""]) => file),
  }));
  const missing: string[] = [];
  for (const file of new Set(files.flatMap((row) => row.files)))
    await access(join(project, file)).catch(() => missing.push(file));

  t.deepEqual(
    files.map(({ number }) => number),
    Array.from({ length: 39 }, (_, index) => index + 1),
  );
  t.true(files.every((row) => row.files.length > 0));
  t.deepEqual(missing, []);
});

test("the page of threats names the tests of what the original left open by titles that are there", async (t) => {
  const page = await readFile(join(project, "docs/threats.md"), "utf8");
  const rows = [...page.matchAll(/^\| ([A-Z]\d+) +\|.*\|.*\|(.*)\|$/gm)];
  const named = rows.map(([, number, cell = ""]) => ({
    number,
    tests: [...cell.matchAll(/`([^`]+)` "([^"]+)"/g)].map(([, file = "", title = ""]) => ({
      file,
      title,
    })),
  }));

  const missing: string[] = [];
  for (const { file, title } of named.flatMap(({ tests }) => tests)) {
    const text = await readFile(join(project, file), "utf8").catch(() => "");
    if (!text.includes(title)) missing.push(`${file}: ${title}`);
  }

  t.deepEqual([...new Set(named.map(({ number }) => number))], ["S16", "W13", "G6"]);
  t.true(named.every(({ tests }) => tests.length > 0));
  t.deepEqual(missing, []);
});
