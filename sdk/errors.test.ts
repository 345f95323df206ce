import test from "ava";
import { describe, errorCode, HttpError } from "./errors.ts";

test("a description joins the messages of all causes, outermost first", (t) => {
  const deepest = new Error("connect ECONNREFUSED /run/queue.sock");
  const error = new HttpError(502, "queue-refused", "The queue does not answer", {
    cause: new Error("fetch failed", { cause: deepest }),
  });

  t.is(
    describe(error),
    "The queue does not answer: fetch failed: connect ECONNREFUSED /run/queue.sock",
  );
});

test("what has no message is described by its name, and what is no error by its text", (t) => {
  t.is(describe(new TypeError("")), "TypeError");
  t.is(describe("gone"), "gone");
  t.is(describe(undefined), "undefined");
  t.is(describe(new Error("outer", { cause: "a text" })), "outer: a text");
});

test("causes that lead back to where they came from are described once", (t) => {
  const error = new Error("outer");
  error.cause = new Error("inner", { cause: error });

  t.is(describe(error), "outer: inner");
});

test("several failures at one place are each described", (t) => {
  const error = new AggregateError([new Error("connect ::1"), new Error("connect 127.0.0.1")]);

  t.is(describe(error), "AggregateError (connect ::1; connect 127.0.0.1)");
});

test("only an error's own text code counts", (t) => {
  t.is(errorCode(Object.assign(new Error("no"), { code: "ENOENT" })), "ENOENT");
  t.is(errorCode(Object.assign(new Error("no"), { code: 7 })), undefined);
  t.is(errorCode({ code: "ENOENT" }), undefined);
  t.is(errorCode(undefined), undefined);
});
