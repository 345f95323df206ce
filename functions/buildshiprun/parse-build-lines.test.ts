import test from "ava";
import type { BuildLine } from "#sdk/messages.ts";
import { parseBuildLines } from "./parse-build-lines.ts";

const digest = `sha256:${"a".repeat(64)}`;
const lines: readonly BuildLine[] = [
  { log: ["npm ci", "añadido ✓ 🚀"], status: "in_progress" },
  { log: [], status: "in_progress" },
  { status: "success", image: "shop:1", digest, sizeBytes: 12, duration: 0.4 },
];
const text = lines.map((line) => `${JSON.stringify(line)}\n`).join("");

async function parse(...chunks: readonly (string | Uint8Array)[]): Promise<BuildLine[]> {
  const bytes = chunks.map((chunk) => (typeof chunk === "string" ? Buffer.from(chunk) : chunk));
  return Array.fromAsync(parseBuildLines(ReadableStream.from(bytes)));
}

test("lines come out whole wherever the chunks are cut, inside a character too", async (t) => {
  const bytes = Buffer.from(text);

  for (const size of [1, 2, 3, 7, bytes.length]) {
    const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
      bytes.subarray(at * size, (at + 1) * size),
    );
    t.deepEqual(await parse(...chunks), [...lines], `chunks of ${size}`);
  }
});

test("a last line without its newline counts, empty lines do not", async (t) => {
  t.deepEqual(await parse("\n", '{"status":"failed","error":"no"}'), [
    { status: "failed", error: "no" },
  ]);
});

test("fields that are not known are left out", async (t) => {
  t.deepEqual(await parse('{"status":"failed","host":"10.0.0.1"}\n'), [{ status: "failed" }]);
});

for (const [what, garbage] of [
  ["HTML", "<html>502 Bad Gateway</html>"],
  ["half a line", '{"status":"succ'],
  ["an unknown status", '{"status":"done"}'],
  ["a log that is a text", '{"status":"in_progress","log":"npm ci"}'],
  ["a digest that is a path", '{"status":"success","digest":"../../etc"}'],
  ["null", "null"],
])
  test(`${what} is an error that shows the line, after what was read before`, async (t) => {
    const read: BuildLine[] = [];

    const reading = async () => {
      const body = ReadableStream.from([Buffer.from(`${text}${garbage}\n`)]);
      for await (const line of parseBuildLines(body)) read.push(line);
    };

    await t.throwsAsync(reading, {
      message: `a line of the builder cannot be read: ${JSON.stringify(garbage)}`,
    });
    t.is(read.length, 3);
  });

test("a line longer than the limit is refused while it comes, and when it comes at once", async (t) => {
  const long = `{"status":"in_progress","log":["${"x".repeat(300_000)}"]}\n`;
  let sent = 0;
  const endless = ReadableStream.from(
    (async function* () {
      for (;;) {
        sent += 64 * 1024;
        yield Buffer.alloc(64 * 1024, "x");
      }
    })(),
  );

  await t.throwsAsync(parse(long), { message: /longer than 262144 characters/ });
  await t.throwsAsync(Array.fromAsync(parseBuildLines(endless)), { message: /longer than 262144/ });
  t.true(sent < 1_000_000);
});
