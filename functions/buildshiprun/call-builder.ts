import type { Claim } from "#ledger/types/build.ts";
import type { PlannedFunction } from "#ledger/types/plan.ts";
import { describe, HttpError } from "#sdk/errors.ts";
import { signCall } from "#sdk/internal-signature.ts";
import type { Tools } from "./tools.ts";

/**
 * `POST /build`, signed over the build key because the body streams; answers the builder's lines. Throws
 * 502 or 503 where the builder takes nothing.
 */
export async function callBuilder(
  { builderUrl, fetch, key }: Tools,
  { build }: Claim,
  planned: PlannedFunction,
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
): Promise<ReadableStream<Uint8Array>> {
  const url = new URL("build", builderUrl);
  const headers = new Headers({
    "content-type": "application/octet-stream",
    accept: "application/x-ndjson",
    "x-content-key": planned.key,
    // Whose turn it is, and whose cache.
    "x-owner-id": build.ownerId,
  });
  headers.set("x-cloud-signature", signCall({ method: "POST", path: url.pathname, headers }, key));
  const init = { method: "POST", headers, body, duplex: "half", signal } as const;
  const response = await fetch(url, init).catch((error: unknown) => {
    throw unreachable(builderUrl, signal, error);
  });
  if (response.ok && response.body !== null) return response.body;
  const text = (await response.text()).slice(0, 500);
  throw new HttpError(502, "builder-refused", `The builder answered ${response.status}: ${text}`);
}

function unreachable(builderUrl: string, signal: AbortSignal, cause: unknown): HttpError {
  if (signal.aborted) return new HttpError(499, "caller-gone", "The caller went away.", { cause });
  const message = `The builder at ${builderUrl} cannot be reached: ${describe(cause)}`;
  return new HttpError(503, "builder-unreachable", message, { cause });
}
