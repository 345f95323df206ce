import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import test from "ava";
import { askHealth, awaitHealthy, readProbeSettings } from "./probe.ts";

const door = "its socket";
const times = { initialDelayMs: 0, settleMs: 20, deadlineMs: 300 };

for (const [title, answers, expected] of [
  ["healthy at once", [200], undefined],
  ["healthy after refusals", ["connect ECONNREFUSED", 503, 200], undefined],
  ["a redirect", [302], undefined],
  ["healthy once, then not", [200, 500, 500, 500], /answered 500/],
  ["always 404", [404], /answered 404/],
  ["never an answer", ["no answer within a second"], /no answer/],
] as const) {
  test(`${title} ends ${expected ? "with the reason" : "healthy"}`, async (t) => {
    const left: (number | string)[] = [...answers];
    let last: number | string = "";
    const ask = async () => {
      last = left.shift() ?? last;
      return last;
    };

    const reason = await awaitHealthy({ door, isListening, ask, signal: never() }, times);

    if (expected === undefined) t.is(reason, undefined);
    else t.regex(reason ?? "", expected);
  });
}

test("one success is not enough: the second comes after the settle time", async (t) => {
  const asked: number[] = [];
  const ask = async () => {
    asked.push(performance.now());
    return 200;
  };

  await awaitHealthy({ door, isListening, ask, signal: never() }, times);

  t.true(asked.length >= 2);
  t.true((asked.at(-1) ?? 0) - (asked[0] ?? 0) >= times.settleMs);
});

test("nothing is asked before the initial delay, and the deadline counts from there", async (t) => {
  const begun = performance.now();
  let first = 0;
  const ask = async () => {
    first ||= performance.now();
    return 200;
  };

  await awaitHealthy({ door, isListening, ask, signal: never() }, { ...times, initialDelayMs: 80 });

  t.true(first - begun >= 79);
});

test("a replica that is gone ends the wait", async (t) => {
  const gone = new AbortController();
  const waiting = awaitHealthy(
    { door, isListening: async () => false, ask: async () => 200, signal: gone.signal },
    { ...times, deadlineMs: 60_000 },
  );

  gone.abort();

  t.is(await waiting, "was stopped while starting");
});

test("annotations say where and when to ask", (t) => {
  const annotations = {
    "com.openfaas.health.http.path": "healthz",
    "com.openfaas.health.http.initialDelay": "2s",
  };

  t.deepEqual(readProbeSettings({ service: "fn", image: "x", annotations }), {
    path: "/healthz",
    initialDelayMs: 2_000,
  });
  t.deepEqual(readProbeSettings({ service: "fn", image: "x" }), {
    path: "/_/health",
    initialDelayMs: 0,
  });
});

for (const [title, path, expected] of [
  ["a whole answer", "/healthy", 200],
  ["an answer after which nothing more comes", "/cut", /aborted|hang up/],
  ["an answer that never ends", "/endless", /never ends/],
  ["no answer at all", "/silent", /no answer within 1000 ms/],
  ["a path that has to be escaped", "/a b\r\nX: y/ü", 404],
] as const) {
  test(`${title} to a health request is ${expected}`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "ofc-probe-"));
    const server = createServer(answerBadly);
    const socketPath = join(folder, "http.sock");
    await new Promise<void>((resolve) => server.listen(socketPath, resolve));
    t.teardown(async () => {
      server.closeAllConnections();
      server.close();
      await rm(folder, { recursive: true });
    });

    const answer = await askHealth({ socketPath }, path);

    if (typeof expected === "number") t.is(answer, expected);
    else t.regex(String(answer), expected);
  });
}

function answerBadly({ url }: IncomingMessage, answer: ServerResponse): void {
  if (url === "/silent") return;
  answer.statusCode = url === "/healthy" || url === "/endless" || url === "/cut" ? 200 : 404;
  if (url === "/cut") {
    answer.writeHead(200, { "content-length": "100" }).write("half");
    setTimeout(() => answer.destroy(), 20);
  } else if (url === "/endless")
    Readable.from(endless())
      .on("error", () => {})
      .pipe(answer);
  else answer.end("OK");
}

function* endless(): Generator<string> {
  for (;;) yield "x".repeat(1_000);
}

async function isListening(): Promise<boolean> {
  return true;
}

function never(): AbortSignal {
  return new AbortController().signal;
}
