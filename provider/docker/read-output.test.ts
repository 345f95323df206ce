import test from "ava";
import fc from "fast-check";
import { formatSince, type OutputPiece, readOutput } from "./read-output.ts";

const time = "2026-11-20T09:02:26.965551812Z";

function frame(source: number, text: string): Buffer {
  const body = Buffer.from(`${time} ${text}`);
  const header = Buffer.alloc(8);
  header[0] = source;
  header.writeUInt32BE(body.length, 4);
  return Buffer.concat([header, body]);
}

async function collect(chunks: readonly Buffer[]): Promise<OutputPiece[]> {
  const pieces: OutputPiece[] = [];
  for await (const piece of readOutput(stream(chunks))) pieces.push(piece);
  return pieces;
}

async function* stream(chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* chunks;
}

test("messages are read whole however the stream is cut", async (t) => {
  const text = fc.array(fc.tuple(fc.constantFrom(1, 2), fc.string()), { maxLength: 10 });
  await fc.assert(
    fc.asyncProperty(text, fc.integer({ min: 1, max: 50 }), async (messages, size) => {
      const bytes = Buffer.concat(messages.map(([source, said]) => frame(source, said)));
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
        bytes.subarray(index * size, (index + 1) * size),
      );

      const pieces = await collect(chunks);

      t.deepEqual(
        pieces.map((one) => [one.source, one.time, one.bytes.toString()]),
        messages.map(([source, said]) => [source === 2 ? "stderr" : "stdout", time, said]),
      );
    }),
  );
});

test("a message that claims to be larger than Docker's ends the reading", async (t) => {
  const header = Buffer.alloc(8);
  header.writeUInt32BE(0xffffffff, 4);

  await t.throwsAsync(collect([header]), { message: /a message of 4294967295 bytes/ });
});

for (const [given, since] of [
  ["2026-11-20T09:02:26.965551812Z", "1795165346.965551813"],
  ["2026-11-20T09:02:26.965Z", "1795165346.966000000"],
  ["2026-11-20T09:02:26.999999999Z", "1795165347.000000000"],
] as const) {
  test(`the time right after ${given} is ${since}`, (t) => {
    t.is(formatSince(given), since);
  });
}
