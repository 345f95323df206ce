import { type Duplex, Readable } from "node:stream";
import type { Dispatcher } from "undici";
import { describe, errorCode, HttpError } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import { answerCall, answerNoSuchFunction, answerNotLoaded, linger } from "./answer.ts";
import type { Call } from "./call.ts";
import { describeMissing } from "./describe-missing.ts";
import type { EndpointTable, FunctionEntry } from "./endpoint-table.ts";
import { Exchange, type ExchangeOwner } from "./exchange.ts";
import { NOT_FOR_FUNCTIONS, toClientHeaders, toUpstreamHeaders } from "./headers.ts";
import { pickReplica, type Replica } from "./replica.ts";
import { openBody, type RequestBody } from "./request-body.ts";
import { tunnel } from "./tunnel.ts";
import type { Waker } from "./waker.ts";

/** How soon replicas that refused a connection are asked again, when the table did not change. */
const RECHECK_MS = 100;

export type InvokeTools = {
  readonly table: EndpointTable;
  readonly waker: Waker;
  /** Whether the call carries what `/system` asks for. */
  readonly isOperator: (call: Call) => boolean;
  readonly log: Log;
  readonly config: {
    readonly readTimeoutMs: number;
    readonly writeTimeoutMs: number;
    readonly holdTimeoutMs: number;
    readonly holdLimit: number;
    readonly maxConnectionsPerReplica: number;
  };
};

export type Invocable = {
  /** As asked for, for messages. */
  readonly service: string;
  /** What the replica sees. */
  readonly path: string;
  /** The owner whose host it was asked on. */
  readonly owner?: string;
};

/**
 * Send a call to a ready replica of the function, holding it while one is wanted but none is ready.
 * `upgrade` holds the first bytes after a WebSocket request, and makes it one.
 */
export function invoke(call: Call, wanted: Invocable, tools: InvokeTools, upgrade?: Buffer): void {
  const entry = tools.table.find(wanted.service);
  if (!tools.table.isLoaded) {
    answerNotLoaded(call);
    return;
  }
  // A function name can be read two ways (`a-b` + `c`, `a` + `b-c`); its owner's host is the only one that serves it.
  const isElsewhere =
    wanted.owner !== undefined && entry?.owner !== undefined && entry.owner !== wanted.owner;
  if (entry === undefined || isElsewhere) {
    answerMissing(call, wanted, tools);
    return;
  }
  new Invocation(call, wanted, entry, tools, upgrade).start();
}

/** What else there is, is for the operator alone. */
function answerMissing(call: Call, { service, owner }: Invocable, tools: InvokeTools): void {
  const text = tools.isOperator(call) ? describeMissing(tools.table, service, owner) : undefined;
  if (text === undefined) answerNoSuchFunction(call, service);
  else answerCall(call, 404, `${text}\n`);
}

class Invocation implements ExchangeOwner {
  readonly #call: Call;
  readonly #wanted: Invocable;
  readonly #entry: FunctionEntry;
  readonly #tools: InvokeTools;
  readonly #startedAt = performance.now();
  #headers: string[] = [];
  #body: RequestBody = null;
  #replica: Replica | undefined;
  #exchange: Exchange | undefined;
  #tried: Set<Replica> | undefined;
  #isOver = false;
  /** Whether `#replica` counts this call among those in flight. */
  #isHeld = false;
  readonly #upgrade: Buffer | undefined;
  #stopWaiting = nothing;

  constructor(
    call: Call,
    wanted: Invocable,
    entry: FunctionEntry,
    tools: InvokeTools,
    upgrade: Buffer | undefined,
  ) {
    this.#upgrade = upgrade;
    this.#call = call;
    this.#wanted = wanted;
    this.#entry = entry;
    this.#tools = tools;
  }

  start(): void {
    this.#entry.counters.begin();
    if (this.#entry.idleMs !== undefined) this.#tools.waker.use(this.#entry);
    this.#call.response.on("close", this.#closed);
    openBody(
      this.#call,
      { idleMs: this.#tools.config.readTimeoutMs },
      (body) => {
        if (this.#isOver) return;
        this.#body = body;
        this.#headers = toUpstreamHeaders(this.#call, NOT_FOR_FUNCTIONS);
        this.#attempt();
      },
      (error) => this.#answer(error.status, `${error.message}\n`),
    );
  }

  #attempt(): void {
    const replica = pickReplica(this.#entry.replicas, this.#tried);
    if (replica === undefined) {
      this.#hold();
      return;
    }
    if (replica.inFlight >= this.#tools.config.maxConnectionsPerReplica) {
      this.#answer(503, `Every replica of ${this.#wanted.service} is busy; try again.\n`);
      return;
    }
    replica.inFlight++;
    this.#isHeld = true;
    this.#replica = replica;
    this.#exchange = new Exchange(this.#call, this, this.#tools.config.writeTimeoutMs);
    replica.pool.dispatch(this.#options(), this.#exchange);
  }

  #options(): Dispatcher.DispatchOptions {
    return {
      path: this.#wanted.path,
      method: this.#call.request.method ?? "GET",
      headers: this.#headers,
      body: this.#body,
      ...(this.#upgrade === undefined ? {} : { upgrade: "websocket" }),
    };
  }

  released(): void {
    if (this.#replica !== undefined && this.#isHeld) this.#replica.inFlight--;
    this.#isHeld = false;
  }

  failed(exchange: Exchange, error: Error): void {
    if (this.#isOver) return;
    if (error instanceof HttpError) this.#answer(error.status, `${error.message}\n`);
    else if (exchange.sent) this.#fail(error);
    else this.#retry(error);
  }

  upgraded(_exchange: Exchange, headers: readonly Buffer[], upstream: Duplex): void {
    const head = this.#upgrade;
    const { socket } = this.#call.request;
    if (head === undefined || this.#isOver) {
      upstream.destroy();
      return;
    }
    this.#call.response.off("close", this.#closed);
    this.#call.response.detachSocket(socket);
    tunnel({ socket, head }, upstream, toClientHeaders(this.#call, 101, headers), () => {
      this.released();
      this.#end(101);
    });
  }

  /** Not one byte was sent, so another replica may be asked, whatever the method. */
  #retry(error: Error): void {
    const replica = this.#replica;
    if (replica === undefined) return;
    this.#tried ??= new Set();
    this.#tried.add(replica);
    // One line for each time a replica goes missing, not one for each request that finds it so.
    if (replica.suspect()) this.#warn("replica-unreachable", error);
    this.#attempt();
  }

  /** Wait for the endpoint set to change while replicas are wanted, or can be. */
  #hold(): void {
    const { holdTimeoutMs, holdLimit } = this.#tools.config;
    const leftMs = holdTimeoutMs - (performance.now() - this.#startedAt);
    const { waiters, wanted, idleMs } = this.#entry;
    const isAsleep = wanted === 0 && idleMs !== undefined;
    if ((wanted === 0 && !isAsleep) || leftMs <= 0 || waiters.size >= holdLimit) {
      this.#giveUp();
      return;
    }
    const wake = (): void => {
      this.#stopWaiting();
      this.#again();
    };
    const timer = setTimeout(
      wake,
      this.#tried === undefined ? leftMs : Math.min(RECHECK_MS, leftMs),
    );
    this.#stopWaiting = () => {
      clearTimeout(timer);
      waiters.delete(wake);
    };
    waiters.add(wake);
    if (!isAsleep) return;
    this.#tools.waker.wake(this.#entry).catch(() => {
      // It may have been sent on meanwhile, to a replica that lived for a moment.
      if (waiters.has(wake)) this.#giveUp();
    });
  }

  #giveUp(): void {
    this.#answer(503, `No endpoints available for: ${this.#wanted.service}.\n`);
  }

  #again(): void {
    if (this.#tools.table.find(this.#wanted.service) !== this.#entry) {
      if (!this.#isOver) answerNoSuchFunction(this.#call, this.#wanted.service);
      return;
    }
    this.#tried = undefined;
    this.#attempt();
  }

  #fail(error: Error): void {
    const timedOut = errorCode(error) === "UND_ERR_HEADERS_TIMEOUT";
    this.#warn(timedOut ? "invocation-timed-out" : "invocation-failed", error);
    if (timedOut) this.#answer(504, `Timed out waiting for: ${this.#wanted.service}.\n`);
    else this.#answer(502, `Can't reach service for: ${this.#wanted.service}.\n`);
  }

  #warn(event: string, error: Error): void {
    this.#tools.log.warn(event, {
      function: this.#wanted.service,
      endpoint: this.#replica?.endpoint,
      call_id: this.#call.callId,
      error: describe(error),
    });
  }

  #answer(status: number, text: string): void {
    if (!this.#isOver) answerCall(this.#call, status, text);
  }

  readonly #closed = (): void => {
    const { response, request } = this.#call;
    if (!request.complete) linger(request);
    if (!response.writableFinished) this.#exchange?.cancel();
    this.#end(response.headersSent ? response.statusCode : 499);
  };

  #end(status: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stopWaiting();
    if (this.#body instanceof Readable) this.#body.destroy();
    this.#entry.counters.end(status, (performance.now() - this.#startedAt) / 1_000);
  }
}

function nothing(): void {}
