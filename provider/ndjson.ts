/** Most text that waits for a reader that does not read, in lines; then the stream ends. */
const WAITING_LIMIT = 10_000;

export type LineWriter = {
  /** Queue one value as a line. */
  write(value: unknown): void;
  end(): void;
};

/**
 * A response of JSON lines, each sent as soon as it is written. `begin` is called once and returns what
 * to do when the reader has gone or the stream has ended.
 */
export function answerNdjson(begin: (lines: LineWriter) => () => void): Response {
  const encoder = new TextEncoder();
  let finish = () => {};
  let open = true;

  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const end = () => {
          if (!open) return;
          open = false;
          finish();
          controller.close();
        };
        finish = begin({
          write(value) {
            if (!open) return;
            controller.enqueue(encoder.encode(`${JSON.stringify(value)}\n`));
            // A reader this far behind starts over with what is true then.
            if ((controller.desiredSize ?? 0) < -WAITING_LIMIT) end();
          },
          end,
        });
        if (!open) finish();
      },
      cancel() {
        open = false;
        finish();
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { headers: { "content-type": "application/x-ndjson" } });
}
