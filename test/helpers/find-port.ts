import { once } from "node:events";
import { createServer } from "node:net";

/** Below what Linux and macOS give to outgoing connections (32768 and 49152), above what services use. */
const [LOWEST, HIGHEST] = [20_000, 32_000];
/** Far from where a test process that was started just before or after begins. */
let next = LOWEST + ((process.pid * 64) % (HIGHEST - LOWEST));

/**
 * A port of 127.0.0.1 that nothing listens on and that no outgoing connection can take, so that who listens
 * there can end and listen there again; each is given once.
 */
export async function findPort(): Promise<number> {
  for (;;) {
    const port = next++;
    if (next === HIGHEST) next = LOWEST;
    if (await isFree(port)) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE") return false;
    throw cause;
  }
  server.close();
  await once(server, "close");
  return true;
}
