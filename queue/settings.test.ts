import { readFile } from "node:fs/promises";
import test from "ava";
import { readQueueSettings } from "./settings.ts";

test("the README's table names every variable with its default", async (t) => {
  const readme = await readFile(new URL("README.md", import.meta.url), "utf8");
  const rows = readme.split("\n").filter((line) => line.startsWith("| `"));
  const named = rows.flatMap((row) => {
    const [, names = "", defaults = ""] = row.split("|");
    const values = defaults.split(/[/,]/).map((value) => value.trim());
    return [...names.matchAll(/`([a-z_]+)`/g)].map(([, name], nth) => `${name}=${values[nth]}`);
  });

  const read = readQueueSettings({}).sources.map(({ name, value }) => `${name}=${value}`);

  t.deepEqual(named.sort(), read.sort());
});

test("a value that does not parse is an error that names the variable", (t) => {
  t.throws(() => readQueueSettings({ async_timeout: "soon", max_inflight: "0" }), {
    message: /max_inflight is "0"[\s\S]*async_timeout is "soon"/,
  });
});
