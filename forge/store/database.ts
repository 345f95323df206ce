import { DatabaseSync } from "node:sqlite";
import { createWalSync } from "#sdk/wal-sync.ts";
import { SCHEMA, SCHEMA_VERSION } from "./schema.ts";

/** The forge's record: who may push, which repositories there are, what was announced. */
export type Database = {
  readonly sql: DatabaseSync;
  /** Run `work` in one durable transaction; a throw undoes all of it. */
  transact<T>(work: () => T): T;
  /** One statement that is kept when the process is killed, and durable once `synced` resolves. */
  write<T>(statement: () => T): T;
  /** Resolves once everything that was written is on the disk; others are served meanwhile. */
  synced(): Promise<void>;
  close(): void;
};

/** Open or create `forge.db`. A record written by a newer version is refused. */
export function openDatabase(path: string): Database {
  const sql = new DatabaseSync(path, { enableForeignKeyConstraints: true, timeout: 5_000 });
  sql.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
  migrate(sql, path);
  const wal = createWalSync(path);

  return {
    sql,
    synced: wal.synced,
    write(statement) {
      sql.exec("PRAGMA synchronous = NORMAL");
      try {
        return statement();
      } finally {
        sql.exec("PRAGMA synchronous = FULL");
        wal.wrote();
      }
    },
    transact(work) {
      sql.exec("BEGIN IMMEDIATE");
      try {
        const result = work();
        sql.exec("COMMIT");
        return result;
      } catch (error) {
        sql.exec("ROLLBACK");
        throw error;
      }
    },
    close() {
      void wal.close();
      sql.close();
    },
  };
}

function migrate(sql: DatabaseSync, path: string): void {
  const version = Number(sql.prepare("PRAGMA user_version").get()?.user_version);
  if (version > SCHEMA_VERSION) {
    throw new Error(
      `${path} has format ${version}, this version knows ${SCHEMA_VERSION}; start the newer platform again or use another data folder.`,
    );
  }
  if (version === SCHEMA_VERSION) return;
  sql.exec(`BEGIN IMMEDIATE; ${SCHEMA}; PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT;`);
}
