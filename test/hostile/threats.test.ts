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
    Array.from({ length: 32 }, (_, index) => index + 1),
  );
  t.true(files.every((row) => row.files.length > 0));
  t.deepEqual(missing, []);
});
