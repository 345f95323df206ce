import { setTimeout as sleep } from "node:timers/promises";
import { describe } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import type { EndpointTable, KnownEndpoints } from "./endpoint-table.ts";
import { parseEndpointLine } from "./parse-endpoints.ts";
import { ask } from "./pool.ts";
import { readLines } from "./read-lines.ts";
import type { Room } from "./rooms.ts";

const FIRST_BACKOFF_MS = 50;
const LONGEST_BACKOFF_MS = 500;
/** Between looks for a provider that was never there: it is about to be, and everybody waits for it. */
const AWAITED_BACKOFF_MS = 20;

export type WatchTools = {
  readonly table: EndpointTable;
  readonly provider: Room;
  /** `Authorization` for the provider. */
  readonly authorization: string;
  /** A stream that says nothing for so long, not even a heartbeat, is asked for anew. */
  readonly silenceMs: number;
  readonly log: Log;
};

export type EndpointWatch = {
  /** Whether the table is whole and fresh. */
  isFresh(): boolean;
  /** Resolves when no more is read. */
  close(): Promise<void>;
};

/** Keep the table as the provider tells it, over reconnects; the last one known stays in force between them. */
export function watchEndpoints(tools: WatchTools): EndpointWatch {
  const { table, provider, log } = tools;
  const stop = new AbortController();
  const headers = { authorization: tools.authorization };
  let isFresh = false;
  let wasLoaded = false;
  let isAwaited = false;
  let backoffMs = FIRST_BACKOFF_MS;
  const done = follow();
  return {
    isFresh: () => isFresh,
    close: () => {
      stop.abort();
      return done;
    },
  };

  async function follow(): Promise<void> {
    while (!stop.signal.aborted) {
      try {
        await readStream();
        throw new Error("The stream ended");
      } catch (error) {
        if (stop.signal.aborted) return;
        const facts = { error: describe(error) };
        // At the start of everything the provider may well be later than the gateway.
        if (wasLoaded) log.warn("endpoints-lost", facts);
        else if (!isAwaited) log.info("endpoints-awaited", facts);
        isAwaited = true;
      }
      isFresh = false;
      await sleep(wasLoaded ? backoffMs : AWAITED_BACKOFF_MS, undefined, {
        signal: stop.signal,
      }).catch(() => {
        // Only the stop signal ends the sleep early, and the loop looks at it next.
      });
      if (wasLoaded) backoffMs = Math.min(backoffMs * 2, LONGEST_BACKOFF_MS);
    }
  }

  async function readStream(): Promise<void> {
    const { statusCode, body } = await ask(provider.pool, {
      method: "GET",
      path: "/endpoints",
      headers,
      headersTimeout: tools.silenceMs,
      bodyTimeout: tools.silenceMs,
      signal: stop.signal,
    });
    if (statusCode !== 200) {
      await body.dump();
      throw new Error(`The provider answered ${statusCode} to /endpoints`);
    }
    for await (const text of readLines(body)) apply(text);
  }

  function apply(text: string): void {
    if (text === "") return;
    const line = parseEndpointLine(text);
    switch (line.kind) {
      case "all":
        table.replace(line.all);
        isFresh = true;
        wasLoaded = true;
        backoffMs = FIRST_BACKOFF_MS;
        log.info("endpoints-loaded", { functions: line.all.length });
        return;
      case "change":
        applyChange(line.change);
        return;
      case "heartbeat":
        return;
    }
  }

  /** Removal and scale to zero look alike in a change; the provider knows which it was. */
  function applyChange(change: KnownEndpoints): void {
    const entry = table.change(change);
    if (change.replicas > 0 || change.endpoints.length > 0 || change.idleMs !== undefined) return;
    exists(change)
      .then((isThere) => {
        if (!isThere && entry.wanted === 0 && entry.replicas.length === 0) table.remove(entry);
      })
      .catch((error: unknown) => {
        log.warn("endpoints-unsure", { function: change.name, error: describe(error) });
      });
  }

  async function exists({ name, namespace }: KnownEndpoints): Promise<boolean> {
    const { statusCode, body } = await ask(provider.pool, {
      method: "GET",
      path: `/system/function/${encodeURIComponent(name)}?namespace=${encodeURIComponent(namespace)}`,
      headers,
      signal: stop.signal,
    });
    await body.dump();
    return statusCode !== 404;
  }
}
