/** More lines than this are not read: the tar's parser is to be measured, not this. */
const MOST_LINES = 500;

/**
 * A tar from a description that can be read and mutated, right or wrong. A line is an entry,
 * `type|name|mode|size|linkname|content`: one character of type, octal numbers as they are written, the size
 * of the content when none is given, `\n`, `\0` and `\xff` in every field. `@257=text` then overwrites bytes
 * without mending the checksum, `!cut=100` cuts the end off, `!raw=text` adds bytes.
 */
export function makeTar(description: Buffer): Buffer {
  let tar = Buffer.alloc(0);
  let isClosed = false;
  for (const line of description.toString("latin1").split("\n", MOST_LINES)) {
    const [, at, patch] = /^@(\d{1,6})=(.*)$/.exec(line) ?? [];
    const [, cut] = /^!cut=(\d{1,6})$/.exec(line) ?? [];
    const [, raw] = /^!raw=(.*)$/.exec(line) ?? [];
    if (patch !== undefined) tar.write(decode(patch), Math.min(Number(at), tar.length), "latin1");
    else if (cut !== undefined) tar = tar.subarray(0, Math.max(0, tar.length - Number(cut)));
    else if (raw !== undefined) tar = Buffer.concat([tar, Buffer.from(decode(raw), "latin1")]);
    else if (line !== "") tar = Buffer.concat([tar, entryOf(line)]);
    isClosed ||= cut !== undefined || raw !== undefined;
  }
  return isClosed ? tar : Buffer.concat([tar, Buffer.alloc(1_024)]);
}

function entryOf(line: string): Buffer {
  const [type = "", name = "", mode = "", size = "", linkname = "", ...rest] = line
    .split("|")
    .map(decode);
  const content = Buffer.from(rest.join("|"), "latin1");
  const header = Buffer.alloc(512);
  header.write(name.slice(0, 100), 0, "latin1");
  header.write(mode.slice(0, 8), 100, "latin1");
  header.write("0", 108, "latin1");
  header.write("0", 116, "latin1");
  header.write((size || content.length.toString(8)).slice(0, 12), 124, "latin1");
  header.write("0", 136, "latin1");
  header.write(type.slice(0, 1), 156, "latin1");
  header.write(linkname.slice(0, 100), 157, "latin1");
  header.write("ustar\u000000", 257, "latin1");
  header.write(name.slice(100, 255), 345, "latin1");
  writeChecksum(header);
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

/** The sum of the header's bytes, its own field read as blanks. */
function writeChecksum(header: Buffer): void {
  header.fill(" ", 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
}

function decode(text: string): string {
  return text.replace(/\\(n|0|x[0-9a-f]{2})/g, (_, code: string) =>
    code === "n" ? "\n" : String.fromCharCode(Number.parseInt(code.replace("x", ""), 16)),
  );
}
