/** A line longer than this is not a line of ours. */
const LINE_LIMIT = 16 * 1_024 ** 2;

/** Lines of a byte stream without their newline; what follows the last newline is dropped. Throws on endless lines. */
export async function* readLines(stream: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > LINE_LIMIT) throw new Error(`A line is over ${LINE_LIMIT} characters`);
    yield* lines;
  }
}
