import test from "ava";
import { stripControls } from "./strip-controls.ts";

test("line ends and tabs are text, every other control is taken out", (t) => {
  t.is(stripControls("a\tb\nc\r\u001b[31mred\u001b[0m\u009b1m\u0000\u007fé"), "a\tb\ncred1mé");
});
