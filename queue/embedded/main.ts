import { rm } from "node:fs/promises";
import { PGlite } from "@electric-sql/pglite";
import { PGLiteSocketServer } from "@electric-sql/pglite-socket";
import { BLANK_DATABASE, makeDatabase } from "./make-database.ts";

/** The platform opens one; a lost one may still be closing when it comes back. */
const MAX_CONNECTIONS = 2;

const [, , dataFolder = "", socketPath = ""] = process.argv;
// The socket is born 0600.
process.umask(0o077);

await makeDatabase(dataFolder, BLANK_DATABASE);
const db = await PGlite.create({ dataDir: dataFolder });
const server = new PGLiteSocketServer({ db, path: socketPath, maxConnections: MAX_CONNECTIONS });
// The keeper made sure that whoever listened there is gone.
await rm(socketPath, { force: true });
await server.start();

let stopping = false;
async function stop(): Promise<void> {
  if (stopping) return;
  stopping = true;
  await server.stop();
  await db.close();
  process.exit(0);
}
process.on("SIGTERM", () => void stop());
// The platform holds the other end of stdin: when it is gone, so are we.
process.stdin.on("end", () => void stop());
process.stdin.resume();
