import { EventEmitter } from "node:events";
import { setTimeout as wait } from "node:timers/promises";
import type { PgPool, PgPoolClient, PgQueryResult } from "bullmq";
import pg from "pg";
import { errorCode } from "#sdk/errors.ts";

const CONNECT_WAIT_MS = 25;

export type SessionOptions = {
  /** Folder of the socket `.s.PGSQL.5432`. */
  readonly host: string;
  /** Longest time to find the server, and for one query. */
  readonly timeoutMs: number;
  /** Run first on every new connection. */
  readonly prepare: (client: pg.Client) => Promise<void>;
  /** A query got no answer in time: the server hangs. */
  readonly stuck: () => void;
};

export type SessionPool = PgPool & { readonly options: { readonly keepAlive: true } };

/**
 * What BullMQ takes for a `pg.Pool`, over one connection that all borrowers share. PGlite is one session: two
 * connections would mix their messages, and a notification reaches only the connection whose query raised it.
 * Borrowers may not open transactions.
 */
export function createSessionPool(options: SessionOptions): SessionPool {
  const borrowers = new Set<Borrower>();
  // BullMQ never takes its listeners off a pool that is not its own.
  const pool = new EventEmitter().setMaxListeners(0);
  let session: Promise<pg.Client> | undefined;
  let current: pg.Client | undefined;
  let last: Promise<unknown> = Promise.resolve();
  let ended = false;

  return Object.assign(pool, {
    // Told to BullMQ, which then trusts that a lost connection is noticed: a Unix socket's is, at once.
    options: { keepAlive: true } as const,
    query,
    async connect(): Promise<PgPoolClient> {
      await connected();
      const borrower = new Borrower(query, () => borrowers.delete(borrower));
      borrowers.add(borrower);
      return borrower;
    },
    async end(): Promise<void> {
      ended = true;
      const client = await session?.catch(() => undefined);
      await client?.end();
    },
  });

  /** One after the other: the session has no more to give. */
  function query(text: string, params?: readonly unknown[]): Promise<PgQueryResult> {
    const result = last.then(() => ask(text, params));
    last = result.catch(() => {});
    return result;
  }

  async function ask(text: string, params: readonly unknown[] = []): Promise<PgQueryResult> {
    try {
      const client = await connected();
      return await client.query(text, [...params]);
    } catch (error) {
      if (error instanceof Error && error.message === "Query read timeout") options.stuck();
      if (error instanceof pg.DatabaseError) throw error;
      // BullMQ repeats what failed with this code, as it does when a Redis is gone.
      throw Object.assign(new Error("The embedded database is not there", { cause: error }), {
        code: "ECONNREFUSED",
      });
    }
  }

  function connected(): Promise<pg.Client> {
    session ??= open().catch((error: unknown) => {
      session = undefined;
      throw error;
    });
    return session;
  }

  /** BullMQ listens anew on a fresh borrower once this one reported an error. */
  function lose(client: pg.Client, error: Error): void {
    if (client !== current) return;
    session = undefined;
    current = undefined;
    if (pool.listenerCount("error") > 0) pool.emit("error", error);
    for (const borrower of [...borrowers])
      if (borrower.listenerCount("error") > 0) borrower.emit("error", error);
  }

  async function open(): Promise<pg.Client> {
    const deadline = Date.now() + options.timeoutMs;
    for (;;) {
      const client = new pg.Client({
        host: options.host,
        user: "postgres",
        database: "postgres",
        query_timeout: options.timeoutMs,
      });
      client.on("error", (error) => lose(client, error));
      client.on("notification", (message) => {
        for (const borrower of borrowers) borrower.emit("notification", message);
      });
      try {
        await client.connect();
        await options.prepare(client);
        current = client;
        return client;
      } catch (error) {
        await client.end().catch(() => {});
        const absent = ["ENOENT", "ECONNREFUSED", "ECONNRESET"].includes(errorCode(error) ?? "");
        if (ended || !absent || Date.now() > deadline) throw error;
        await wait(CONNECT_WAIT_MS);
      }
    }
  }
}

class Borrower extends EventEmitter implements PgPoolClient {
  readonly query: PgPoolClient["query"];
  readonly release: () => void;
  constructor(query: PgPoolClient["query"], release: () => void) {
    super();
    this.query = query;
    this.release = release;
  }
}
