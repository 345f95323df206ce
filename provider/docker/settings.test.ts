import { readFile } from "node:fs/promises";
import test from "ava";
import { defaultEngineSettings } from "../engine/settings.ts";
import { defaultSettings } from "./settings.ts";

test("the README names every setting with its default", async (t) => {
  const text = await readFile(new URL("README.md", import.meta.url), "utf8");
  const rows = text.split("\n").filter((line) => line.startsWith("|"));
  const own = Object.entries(defaultSettings).filter(([name]) => !(name in defaultEngineSettings));

  for (const [name, value] of own) {
    const row = rows.find((line) => line.split("|")[2]?.includes(`\`${name}\``));
    t.truthy(row, `${name} has no row`);
    if (typeof value === "number")
      t.true(row?.includes(String(value)), `${name} is ${value}: ${row}`);
  }
});
