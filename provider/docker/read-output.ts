/** One message of a container's output; a line of more than 16 KiB comes in several. */
export type OutputPiece = {
  readonly source: "stdout" | "stderr";
  /** RFC 3339 with nanoseconds. */
  readonly time: string;
  readonly bytes: Buffer;
};

/** Docker never makes a larger message; one that claims to be is not Docker's. */
const FRAME_LIMIT = 1024 * 1024;

/**
 * Take apart what `GET /containers/<id>/logs?timestamps=true` answers: frames of an 8 byte header (stream,
 * three zeros, length) and a body that begins with the time and a blank (Docker API v1.41, "ContainerAttach").
 */
export async function* readOutput(
  stream: AsyncIterable<Buffer | string>,
): AsyncGenerator<OutputPiece> {
  let rest = Buffer.alloc(0);
  for await (const chunk of stream) {
    rest = Buffer.concat([rest, typeof chunk === "string" ? Buffer.from(chunk) : chunk]);
    while (rest.length >= 8) {
      const length = rest.readUInt32BE(4);
      if (length > FRAME_LIMIT) throw new Error(`a message of ${length} bytes`);
      if (rest.length < 8 + length) break;
      yield parseFrame(rest[0], rest.subarray(8, 8 + length));
      rest = rest.subarray(8 + length);
    }
  }
}

function parseFrame(source: number | undefined, body: Buffer): OutputPiece {
  const blank = body.indexOf(0x20);
  return {
    source: source === 2 ? "stderr" : "stdout",
    time: body.toString("latin1", 0, Math.max(0, blank)),
    bytes: body.subarray(blank + 1),
  };
}

/** The time right after an RFC 3339 time, as Docker's `since` takes it: seconds and nanoseconds. */
export function formatSince(time: string): string {
  const ms = Date.parse(time);
  const fraction = /\.(\d{1,9})/.exec(time)?.[1] ?? "0";
  const step = 10 ** (9 - fraction.length);
  const nanos = Number(fraction.padEnd(9, "0")) + step;
  const seconds = Math.floor(ms / 1_000) + Math.floor(nanos / 1e9);
  return `${seconds}.${String(nanos % 1e9).padStart(9, "0")}`;
}
