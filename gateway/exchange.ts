import type { Duplex } from "node:stream";
import type { Dispatcher } from "undici";
import type { Call } from "./call.ts";
import { toClientHeaders, toTrailers } from "./headers.ts";

/** An answer this small goes out in one write with its header, when all of it came at once. */
const SMALL_BYTES = 16 * 1_024;

/** Who asked for an exchange, and hears how it went. */
export type ExchangeOwner = {
  /** No response header reached the client. Without `exchange.sent` no byte of the request left. */
  failed(exchange: Exchange, error: Error): void;
  /** The replica switched protocols; both sockets are the owner's now. */
  upgraded?(exchange: Exchange, headers: readonly Buffer[], upstream: Duplex): void;
  /** The upstream is done with this exchange, one way or another. Called once, before `failed`. */
  released(exchange: Exchange): void;
};

/**
 * One request sent to one upstream, its answer written straight to the client with backpressure both ways.
 * Uses undici's raw handler methods: header bytes keep their case, order and repetitions.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  /** Whether undici had a connection and began to write. */
  sent = false;
  readonly #call: Call;
  readonly #owner: ExchangeOwner;
  readonly #writeTimeoutMs: number;
  #abort: ((error: Error) => void) | undefined;
  #cancelled = false;
  #written = false;
  /** A small first piece of the body, until the rest has come or the tick is over. */
  #held: Buffer | undefined;
  #resume: (() => void) | undefined;

  constructor(call: Call, owner: ExchangeOwner, writeTimeoutMs: number) {
    this.#call = call;
    this.#owner = owner;
    this.#writeTimeoutMs = writeTimeoutMs;
  }

  /** The client is gone: stop the upstream too. */
  cancel(): void {
    this.#cancelled = true;
    this.#abort?.(new Error("The client left"));
  }

  onConnect(abort: (error?: Error) => void): void {
    this.#abort = abort;
    if (this.#cancelled) abort(new Error("The client left"));
    else this.sent = true;
  }

  onHeaders(status: number, raw: Buffer[], resume: () => void, statusText: string): boolean {
    if (status < 200) return true;
    const { response } = this.#call;
    response.writeHead(status, statusText, toClientHeaders(this.#call, status, raw));
    this.#resume = resume;
    // Undici takes the Content-Length that a 304 may carry for a promise and would cut the connection.
    if (status === 304) response.end();
    else process.nextTick(flushIfSilent, this);
    return true;
  }

  onData(chunk: Buffer): boolean {
    if (!this.#written && chunk.length <= SMALL_BYTES) {
      this.#written = true;
      this.#held = chunk;
      return true;
    }
    this.#written = true;
    this.#writeHeld();
    if (this.#call.response.write(chunk)) return true;
    this.#waitForClient();
    return false;
  }

  onComplete(trailers: string[] | null): void {
    this.#written = true;
    this.#owner.released(this);
    const { response } = this.#call;
    if (response.writableEnded) return;
    if (trailers !== null && trailers.length > 0) response.addTrailers(toTrailers(trailers));
    // Node joins a string with the header; a buffer would be a second piece.
    response.end(this.#takeHeld()?.toString("latin1") ?? "", "latin1");
  }

  onUpgrade(_status: number, headers: Buffer[] | string[] | null, socket: Duplex): void {
    const raw = (headers ?? []).map((value) => Buffer.from(value));
    this.#owner.upgraded?.(this, raw, socket);
  }

  onError(error: Error): void {
    this.#owner.released(this);
    if (this.#cancelled || this.#call.response.writableEnded) return;
    // Half an answer cannot be taken back; only a cut connection tells the client that it is not whole.
    if (this.#call.response.headersSent) this.#call.response.destroy(error);
    else this.#owner.failed(this, error);
  }

  /** What is there goes out at once when the rest lets wait for itself (server-sent events). */
  flush(): void {
    const { response } = this.#call;
    if (response.destroyed || response.writableEnded) return;
    if (this.#written) this.#writeHeld();
    else response.flushHeaders();
  }

  #writeHeld(): void {
    const held = this.#takeHeld();
    if (held !== undefined) this.#call.response.write(held);
  }

  #takeHeld(): Buffer | undefined {
    const held = this.#held;
    this.#held = undefined;
    return held;
  }

  #waitForClient(): void {
    const { response } = this.#call;
    const tooSlow = setTimeout(() => response.destroy(), this.#writeTimeoutMs);
    const done = (): void => {
      clearTimeout(tooSlow);
      response.off("drain", done);
      response.off("close", done);
      if (!response.destroyed) this.#resume?.();
    };
    response.on("drain", done);
    response.on("close", done);
  }
}

function flushIfSilent(exchange: Exchange): void {
  exchange.flush();
}
