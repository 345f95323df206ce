import { verifyContent } from "#sdk/internal-signature.ts";
import { readBounded } from "#sdk/read-bounded.ts";

/** Longest body of a call between the platform's functions, in bytes; streams are not bounded here. */
const MESSAGE_LIMIT_BYTES = 4 * 1024 * 1024;

/**
 * Read a message between functions and throw 401 unless its body is the one whose digest was signed; it can
 * be read once more afterwards. What was signed over a build key instead of a digest streams, unread.
 */
export async function checkMessage(request: Request): Promise<void> {
  if (request.headers.get("x-content-key")?.startsWith("sha256:") !== true) return;
  if (request.method === "GET" || request.method === "HEAD") return;
  const body = await readBounded(request, { limitBytes: MESSAGE_LIMIT_BYTES });
  verifyContent(body, request.headers);
  holdBody(request, body);
}

/** A new Request would cost more than the rest of a call, and its signal could be collected while it is waited for. */
function holdBody(request: Request, body: Buffer<ArrayBuffer>): void {
  const text = () => body.toString("utf8");
  Object.defineProperties(request, {
    arrayBuffer: { value: async () => new Uint8Array(body).buffer },
    bytes: { value: async () => new Uint8Array(body) },
    text: { value: async () => text() },
    json: { value: async () => JSON.parse(text()) as unknown },
  });
}
