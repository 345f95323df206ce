import { connect, type Socket } from "node:net";
import type { LoadResult, LoadSpec, Target } from "./load.ts";
import { pin } from "./processes.ts";
import { quantile } from "./statistics.ts";

/** Answers before this share of the time are not counted: connections open, code gets warm. */
const WARM_UP = 0.1;

const { core, ...spec } = JSON.parse(process.argv[2] ?? "") as LoadSpec & { core?: number };
if (core !== undefined) await pin(process.pid, core);
const result = await load(spec);
process.send?.(result, () => process.exit());

async function load({
  target,
  path,
  connections,
  durationMs,
  rate,
}: LoadSpec): Promise<LoadResult> {
  const request = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: ${hostOf(target)}\r\n\r\n`);
  const from = performance.now() + durationMs * WARM_UP;
  const until = performance.now() + durationMs;
  const latencies: number[] = [];
  let refused = 0;
  const count = (status: number, ms: number) => {
    if (performance.now() < from) return;
    if (status === 200) latencies.push(ms);
    else refused++;
  };
  const gapMs = rate === undefined ? undefined : (connections * 1_000) / rate;
  await Promise.all(
    Array.from({ length: connections }, (_, at) => {
      const pace = gapMs === undefined ? undefined : { gapMs, firstMs: (at * gapMs) / connections };
      return ask({ socket: connect(target), request, until, count, pace });
    }),
  );
  return {
    requests: latencies.length,
    refused,
    perSecond: latencies.length / ((until - from) / 1_000),
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
  };
}

function hostOf(target: Target): string {
  return "path" in target ? "localhost" : `${target.host}:${target.port}`;
}

type Connection = {
  readonly socket: Socket;
  readonly request: Buffer;
  /** On the clock of `performance.now()`. */
  readonly until: number;
  readonly count: (status: number, ms: number) => void;
  readonly pace: { readonly gapMs: number; readonly firstMs: number } | undefined;
};

/** One request at a time until time is up. A paced one that could not be sent in time counts from when it was due. */
function ask({ socket, request, until, count, pace }: Connection): Promise<void> {
  return new Promise((resolve, reject) => {
    let received = "";
    let due = performance.now() + (pace?.firstMs ?? 0);
    let askedAt = 0;
    socket.setNoDelay(true);
    socket.once("connect", next);
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("The server closed a connection.")));
    socket.on("data", (chunk: Buffer) => {
      received += chunk.toString("latin1");
      if (!isWhole(received)) return;
      count(Number(received.slice(9, 12)), performance.now() - askedAt);
      received = "";
      next();
    });

    function next(): void {
      const now = performance.now();
      if (now >= until) {
        resolve();
        socket.removeAllListeners("close").destroy();
      } else if (pace === undefined) send(now);
      else {
        if (now < due) setTimeout(() => send(performance.now()), due - now);
        else send(due);
        due += pace.gapMs;
      }
    }

    function send(countedFrom: number): void {
      askedAt = countedFrom;
      socket.write(request);
    }
  });
}

/** All of an answer with a content length, or in chunks. */
function isWhole(text: string): boolean {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return false;
  const length = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, end))?.[1];
  return length === undefined
    ? text.endsWith("0\r\n\r\n")
    : text.length >= end + 4 + Number(length);
}
