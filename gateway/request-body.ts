import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { HttpError } from "#sdk/errors.ts";
import type { Call } from "./call.ts";

/** A body this small travels in one write, and can be sent again when a replica could not be reached. */
const GATHER_BYTES = 16 * 1_024;

export type BodyLimits = {
  /** Longest silence before 408; a body of a few kilobytes has to be whole by then. */
  readonly idleMs: number;
  /** 413 above; unlimited when absent. */
  readonly limitBytes?: number;
};

export type RequestBody = Buffer | Readable | null;

/**
 * Hand over the request's body: whole when its length is known and small, else as a stream that reads no
 * faster than it is read. `opened` is not called when the client leaves first.
 */
export function openBody(
  call: Call,
  limits: BodyLimits,
  opened: (body: RequestBody) => void,
  refused: (error: HttpError) => void,
): void {
  const { request, response } = call;
  const declared = request.headers["content-length"];
  if (declared === "0" || (declared === undefined && !request.headers["transfer-encoding"])) {
    opened(null);
    return;
  }
  const length = declared === undefined ? undefined : Number(declared);
  if (length !== undefined && length > (limits.limitBytes ?? Number.POSITIVE_INFINITY)) {
    refused(tooLarge(limits.limitBytes));
    return;
  }
  // Node leaves the answer to `Expect: 100-continue` to us: refusals above need no body.
  if (request.headers.expect !== undefined) response.writeContinue();
  if (length !== undefined && length <= GATHER_BYTES) {
    gather(request, length, limits.idleMs, opened, refused);
  } else {
    opened(new StreamedBody(request, limits));
  }
}

function gather(
  request: IncomingMessage,
  length: number,
  idleMs: number,
  opened: (body: Buffer) => void,
  refused: (error: HttpError) => void,
): void {
  const chunks: Buffer[] = [];
  // For all of it: one that drips would be waited for byte by byte.
  const late = setTimeout(() => refused(tooSlow(idleMs)), idleMs);
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.once("end", () => {
    clearTimeout(late);
    opened(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, length));
  });
  request.once("close", () => clearTimeout(late));
}

/** The request as a stream of its own, so that an upstream which fails never takes the client's socket with it. */
class StreamedBody extends Readable {
  readonly #request: IncomingMessage;
  readonly #limits: BodyLimits;
  readonly #idle: NodeJS.Timeout;
  #bytes = 0;
  #wanted = false;

  constructor(request: IncomingMessage, limits: BodyLimits) {
    super({ highWaterMark: 64 * 1_024 });
    this.#request = request;
    this.#limits = limits;
    this.#idle = setTimeout(() => this.#timedOut(), limits.idleMs);
    // While the request waits for a replica nobody else listens; who reads later hears of errors too.
    this.on("error", nothing);
    request.on("data", this.#take);
    request.once("end", this.#end);
    request.once("close", this.#closed);
    request.pause();
  }

  override _read(): void {
    this.#wanted = true;
    this.#idle.refresh();
    this.#request.resume();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    clearTimeout(this.#idle);
    this.#request.off("data", this.#take);
    this.#request.off("end", this.#end);
    this.#request.off("close", this.#closed);
    // What is left flows to nobody, so that the answer can be read; see linger in answer.ts.
    this.#request.resume();
    callback(error);
  }

  readonly #take = (chunk: Buffer): void => {
    this.#idle.refresh();
    this.#bytes += chunk.length;
    const { limitBytes } = this.#limits;
    if (limitBytes !== undefined && this.#bytes > limitBytes) {
      this.destroy(tooLarge(limitBytes));
      return;
    }
    if (this.push(chunk)) return;
    this.#wanted = false;
    this.#request.pause();
  };

  readonly #end = (): void => {
    this.push(null);
  };

  readonly #closed = (): void => {
    if (!this.#request.complete) this.destroy(new Error("The client left inside its request body"));
  };

  /** Silence counts only while more was asked for. */
  #timedOut(): void {
    if (this.#wanted && !this.readableEnded) this.destroy(tooSlow(this.#limits.idleMs));
  }
}

function tooLarge(limitBytes = 0): HttpError {
  return new HttpError(413, "body-too-large", `The body is over the limit of ${limitBytes} bytes.`);
}

function tooSlow(idleMs: number): HttpError {
  return new HttpError(408, "body-too-slow", `No more of the body came for ${idleMs} ms.`);
}

function nothing(): void {}
