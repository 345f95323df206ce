import { HttpError } from "#sdk/errors.ts";

export type Bounds = {
  readonly limitBytes: number;
  /** What a longer body ends with; 413 `body-too-large` when nothing is said. */
  readonly tooLarge?: (limitBytes: number) => Error;
  /** Its abort lets the sender go and rejects with its reason. */
  readonly signal?: AbortSignal;
};

/** The whole body of a request, refused past the limit, whatever was announced. */
export async function readBounded(request: Request, bounds: Bounds): Promise<Buffer<ArrayBuffer>> {
  const announced = request.headers.get("content-length");
  if (Number(announced ?? 0) > bounds.limitBytes) throw refuse(bounds);
  // HTTP holds a sender to the length; a body without one has to be counted, which takes streams.
  const reading = announced === null ? readCounted(request, bounds) : readWhole(request, bounds);
  return bounds.signal === undefined ? reading : Promise.race([reading, rejectOn(bounds.signal)]);
}

async function readWhole(request: Request, bounds: Bounds): Promise<Buffer<ArrayBuffer>> {
  const body = Buffer.from(await request.arrayBuffer());
  if (body.length > bounds.limitBytes) throw refuse(bounds);
  return body;
}

async function readCounted(request: Request, bounds: Bounds): Promise<Buffer<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength;
    if (size > bounds.limitBytes) throw refuse(bounds);
    chunks.push(chunk);
    bounds.signal?.throwIfAborted();
  }
  return Buffer.concat(chunks);
}

function rejectOn(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  });
}

function refuse({ limitBytes, tooLarge = bodyTooLarge }: Bounds): Error {
  return tooLarge(limitBytes);
}

function bodyTooLarge(limitBytes: number): HttpError {
  return new HttpError(413, "body-too-large", `The body may hold at most ${limitBytes} bytes.`);
}
