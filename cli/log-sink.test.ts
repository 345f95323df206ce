import { PassThrough } from "node:stream";
import test from "ava";
import { createLog } from "#sdk/log.ts";
import { createLogSink } from "./log-sink.ts";

function setUp({ isTTY = false } = {}) {
  const stream = Object.assign(new PassThrough(), { isTTY });
  const write = createLogSink(stream as unknown as NodeJS.WriteStream);
  return { write, said: () => String(stream.read() ?? "") };
}

test("a program gets every line as it is", (t) => {
  const { write, said } = setUp();
  const log = createLog(write);

  log.info("build-queued", { owner: "alice" });
  write("not JSON\n");

  t.regex(said(), /^\{"level":"info",.*"owner":"alice".*\}\nnot JSON\n$/);
});

test("a person gets what went wrong, in words, and nothing else", (t) => {
  const { write, said } = setUp({ isTTY: true });
  const log = createLog(write);

  log.info("build-queued");
  log.warn("sweep-failed", { error: "the queue is gone", attempts: 2, ids: ["a"] });

  t.regex(
    said(),
    /^\d\d:\d\d:\d\d warn sweep-failed error=the queue is gone attempts=2 ids=\["a"\]\n$/,
  );
});

for (const line of ["{ code: 'EADDRINUSE' }", "Error: boom", "{}", "null", '{"level":1}']) {
  test(`a child's line ${line} reaches a person as it is`, (t) => {
    const { write, said } = setUp({ isTTY: true });

    write(`${line}\n`);

    t.is(said(), `${line}\n`);
  });
}

test("nothing in a line can move a person's cursor", (t) => {
  const { write, said } = setUp({ isTTY: true });

  createLog(write).error("push-failed", { reason: "\u001b[2J\u001b]0;owned\u0007gone" });
  write("\u001b[2Jraw\n");

  t.false(said().includes("\u001b"));
});
