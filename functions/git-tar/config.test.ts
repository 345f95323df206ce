import test from "ava";
import { variablesInReadme, variablesOf } from "../../test/helpers/variables.ts";
import { readConfig } from "./config.ts";

test("the README lists every variable", async (t) => {
  t.deepEqual(await variablesInReadme("functions/git-tar"), variablesOf(readConfig));
});

test("a registry is the first part of an image, with or without its trailing slash", (t) => {
  t.is(readConfig({ repository_url: "registry.example/team/" }).registry, "registry.example/team");
  t.is(readConfig({}).registry, "ofc.local");
});
