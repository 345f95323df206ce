import { PGlite } from "@electric-sql/pglite";
import { PGLiteSocketServer } from "@electric-sql/pglite-socket";

// One connection is all that the platform opens: PGlite is one session, and sharing it between connections
// would mix their half-sent messages.
const MAX_CONNECTIONS = 1;

const [, , dataFolder = "", socketPath = ""] = process.argv;
// The socket is born 0600.
process.umask(0o077);

const db = await PGlite.create({ dataDir: dataFolder });
const server = new PGLiteSocketServer({
  db,
  path: socketPath,
  maxConnections: MAX_CONNECTIONS + 1,
});
await server.start();
process.stdout.write("ready\n");

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
