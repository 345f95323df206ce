import { chmodSync, closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import {
  DatabaseSync,
  type SQLInputValue,
  type SQLOutputValue,
  type StatementSync,
} from "node:sqlite";
import type { WalSync } from "#sdk/wal-sync.ts";
import type { UnixMs } from "./types/unix-ms.ts";
import type { Watchers } from "./watchers.ts";

export type Row = Readonly<Record<string, SQLOutputValue>>;
/** Values by name, without the `$` they have in the statement. */
type Values = Readonly<Record<string, string | number | null>>;

/** Called around each commit: just before it, when a crash loses the write, and just after, when it is kept. */
export type OnCommit = (moment: "before" | "after") => void;

/** What every part of the ledger works on. */
export type Database = {
  now(): UnixMs;
  /** First row, if any. */
  get(sql: string, values?: Values): Row | undefined;
  all(sql: string, values?: Values): Row[];
  /** Number of rows that changed. */
  run(sql: string, values?: Values): number;
  /** All or nothing, on disk when it returns. Inside another one it is part of that one. */
  transaction<T>(act: () => T): T;
  /**
   * As `transaction`, kept when the process is killed, but a power cut takes it unless `WalSync.synced` or
   * another transaction came after it.
   */
  quickTransaction<T>(act: () => T): T;
  /** Tell the build's watchers once the transaction is committed. */
  changed(buildId: string): void;
  /** The same for who watches releases. */
  releasesChanged(service: string): void;
};

/** Open or make the file, readable by its owner only; WAL, every commit synced. */
export function openFile(path: string): DatabaseSync {
  if (path !== ":memory:") {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    closeSync(openSync(path, "a", 0o600));
    chmodSync(path, 0o600);
  }
  const file = new DatabaseSync(path, { timeout: 5000 });
  try {
    file.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON");
    return file;
  } catch (cause) {
    file.close();
    const remedy = "stop another process that holds it, or restore a backup if it is damaged";
    throw new Error(`The ledger ${path} cannot be opened; ${remedy}`, { cause });
  }
}

export function createDatabase(
  file: DatabaseSync,
  now: () => UnixMs,
  watchers: Watchers,
  { wal, onCommit = () => {} }: { readonly wal?: WalSync; readonly onCommit?: OnCommit } = {},
): Database {
  const statements = new Map<string, StatementSync>();
  const builds = new Set<string>();
  const services = new Set<string>();

  return {
    ...{ now, get, all, run, transaction, quickTransaction },
    changed: (buildId) => void builds.add(buildId),
    releasesChanged: (service) => void services.add(service),
  };

  function get(sql: string, values: Values = {}): Row | undefined {
    return prepare(sql).get(bind(values));
  }

  function all(sql: string, values: Values = {}): Row[] {
    return prepare(sql).all(bind(values));
  }

  function run(sql: string, values: Values = {}): number {
    const write = () => Number(prepare(sql).run(bind(values)).changes);
    return file.isTransaction ? write() : around(write);
  }

  function prepare(sql: string): StatementSync {
    let statement = statements.get(sql);
    if (statement === undefined) {
      statement = file.prepare(sql);
      statements.set(sql, statement);
    }
    return statement;
  }

  function transaction<T>(act: () => T): T {
    if (file.isTransaction) return act();
    file.exec("BEGIN IMMEDIATE");
    try {
      const result = act();
      around(() => file.exec("COMMIT"));
      watchers.notify({ builds, services });
      return result;
    } catch (error) {
      // SQLite has rolled back by itself after some failures, a full disk for instance.
      if (file.isTransaction) file.exec("ROLLBACK");
      throw error;
    } finally {
      builds.clear();
      services.clear();
    }
  }

  function around<T>(commit: () => T): T {
    onCommit("before");
    const result = commit();
    onCommit("after");
    return result;
  }

  function quickTransaction<T>(act: () => T): T {
    if (file.isTransaction) return act();
    file.exec("PRAGMA synchronous = NORMAL");
    try {
      const result = transaction(act);
      wal?.wrote();
      return result;
    } finally {
      file.exec("PRAGMA synchronous = FULL");
    }
  }
}

function bind(values: Values): Record<string, SQLInputValue> {
  return { ...values };
}
