import test from "ava";
import { stackStatus } from "./stack-status.ts";

test("the status of a whole push has the context that people and branch rules know", (t) => {
  t.deepEqual(stackStatus("pending", "2 functions", "http://localhost/builds/1"), {
    context: "stack-deploy",
    state: "pending",
    description: "2 functions",
    targetUrl: "http://localhost/builds/1",
  });
});
