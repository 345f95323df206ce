import type { Handler } from "#sdk/answer.ts";
import { HttpError } from "#sdk/errors.ts";
import { verifyContent } from "#sdk/internal-signature.ts";

/** Longest body of a call between the platform's functions, in bytes; streams are not bounded here. */
const MESSAGE_LIMIT_BYTES = 4 * 1024 * 1024;

export type HostedFunctions = Readonly<Record<string, Handler>>;

/**
 * The pipeline's functions in one process: `/<name>…` goes to the handler of that name. The gateway has
 * verified the internal signature; a body that was signed by its digest is checked against it here.
 */
export function hostFunctions(functions: HostedFunctions): Handler {
  return async (request, log) => {
    const name = new URL(request.url).pathname.split("/")[1] ?? "";
    const handler = Object.hasOwn(functions, name) ? functions[name] : undefined;
    if (handler === undefined)
      throw new HttpError(404, "no-such-function", `The platform has no function "${name}".`);
    const bound = log.with({ function: name });
    return name === "github-event"
      ? handler(request, bound)
      : handler(await checkBody(request), bound);
  };
}

async function checkBody(request: Request): Promise<Request> {
  if (request.headers.get("x-content-key")?.startsWith("sha256:") !== true) return request;
  if (request.method === "GET" || request.method === "HEAD") return request;
  const body = await readBounded(request);
  verifyContent(body, request.headers);
  return new Request(request.url, {
    method: request.method,
    headers: request.headers,
    body,
    signal: request.signal,
  });
}

async function readBounded(request: Request): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength;
    if (size > MESSAGE_LIMIT_BYTES)
      throw new HttpError(
        413,
        "too-large",
        `A message between functions is at most ${MESSAGE_LIMIT_BYTES} bytes.`,
      );
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}
