import { type PgQueryable, runMigrations } from "bullmq";

/** BullMQ's own; its functions are found through `search_path`. */
const SCHEMA = "bullmq";

/** Bring BullMQ's tables to the version of the package, and make them the session's. */
export async function migrate(session: PgQueryable): Promise<void> {
  await runMigrations(session, SCHEMA);
  await session.query(`SET search_path TO ${SCHEMA}`);
}
