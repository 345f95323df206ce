import test from "ava";
import { tryJson } from "./try-json.ts";

test("JSON is parsed, and everything else is undefined", (t) => {
  t.deepEqual(tryJson('{"a":[1,null]}'), { a: [1, null] });
  t.is(tryJson("null"), null);
  for (const text of ["", "{", "{a:1}", "undefined", "Error: boom"]) t.is(tryJson(text), undefined);
});
