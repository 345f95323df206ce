import { Duplex } from "node:stream";
import type { Client } from "@connectrpc/connect";
import type { Control } from "./generated/control_pb.ts";

type Written = {
  readonly data: Uint8Array<ArrayBuffer>;
  readonly taken: (error?: Error | null) => void;
};

/**
 * A byte stream inside the RPC `Control.Session`, for daemons without `POST /session`: the HTTP/2 connection on
 * which the daemon is the client and we serve.
 */
export function tunnelSession(
  control: Client<typeof Control>,
  headers: Readonly<Record<string, string | readonly string[]>>,
): Duplex {
  const ending = new AbortController();
  const outgoing = createOutgoing();
  const incoming = control
    .session(outgoing.chunks(), { headers: toHeaders(headers), signal: ending.signal })
    [Symbol.asyncIterator]();
  let reading = false;

  const tunnel = new Duplex({
    read() {
      if (reading) return;
      reading = true;
      fill()
        .catch((error: unknown) => tunnel.destroy(error instanceof Error ? error : undefined))
        .finally(() => {
          reading = false;
        });
    },
    write(chunk: Buffer, _encoding, taken) {
      // http2 uses its buffer again, and the callback is what slows the writer down.
      outgoing.push({ data: new Uint8Array(chunk), taken });
    },
    final(done) {
      outgoing.end();
      done();
    },
    destroy(error, done) {
      outgoing.end(error ?? new Error("The session is closed."));
      ending.abort();
      done(error);
    },
  });
  return tunnel;

  /** Until the reader has enough or the daemon has ended. */
  async function fill(): Promise<void> {
    for (;;) {
      const next = await incoming.next();
      if (next.done) return void tunnel.push(null);
      if (next.value.data.length > 0 && !tunnel.push(next.value.data)) return;
    }
  }
}

/** What was written and not yet taken by the RPC; http2 writes one at a time. */
function createOutgoing() {
  const waiting: Written[] = [];
  let ended = false;
  let wake = () => {};

  return {
    push(written: Written) {
      if (ended) return written.taken(new Error("The session is closed."));
      waiting.push(written);
      wake();
    },
    end(error?: Error) {
      ended = true;
      if (error) for (const { taken } of waiting.splice(0)) taken(error);
      wake();
    },
    async *chunks() {
      for (;;) {
        const next = waiting.shift();
        if (next) {
          yield { data: next.data };
          next.taken();
        } else if (ended) return;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    },
  };
}

function toHeaders(headers: Readonly<Record<string, string | readonly string[]>>): Headers {
  return new Headers(
    Object.entries(headers).flatMap(([name, values]) =>
      [values].flat().map((value): [string, string] => [name, value]),
    ),
  );
}
