import { type Header, pack } from "tar-stream";
import { DEFAULT_SETTINGS } from "./settings.ts";
import { collect, configEntry } from "./test-builder.ts";

export type Entry = Partial<Header> & { readonly name: string; readonly text?: string };

export const CONFIG: readonly Entry[] = Object.entries(configEntry()).map(([name, text]) => ({
  name,
  text,
}));

/** What the tars below break. */
export const LIMITS = {
  ...DEFAULT_SETTINGS,
  maxEntries: 50,
  maxFileBytes: 100_000,
  maxContextBytes: 300_000,
  maxPathBytes: 300,
};

/** Entries of a context that no builder takes, beside good ones, and what is said of them. */
export const HOSTILE: Readonly<Record<string, readonly [readonly Entry[], RegExp]>> = {
  "an absolute name": [[{ name: "/context/a", text: "x" }], /absolute name/],
  "a name that climbs": [[{ name: "context/../../a", text: "x" }], /"\.\." in its name/],
  "a name that climbs after ./": [[{ name: "./context/../a", text: "x" }], /"\.\." in its name/],
  "a line break in a name": [[{ name: "context/a\nb", text: "x" }], /control character/],
  "a path over the limit": [[{ name: `context/${"a/".repeat(200)}b`, text: "" }], /over 300 bytes/],
  "a name over 255 bytes": [[{ name: `context/${"a".repeat(256)}`, text: "" }], /over 255 bytes/],
  "a link to an absolute path": [
    [{ name: "context/a", type: "symlink", linkname: "/etc/passwd" }],
    /stay inside the context/,
  ],
  "a link that climbs": [
    [{ name: "context/d/a", type: "symlink", linkname: "../../x" }],
    /outside the context/,
  ],
  "links that climb only together": [
    [
      { name: "context/a/b/c", type: "directory" },
      { name: "context/up", type: "symlink", linkname: "a/b" },
      { name: "context/a/b/out", type: "symlink", linkname: "../../up/../../.." },
    ],
    /outside the context|leaves the context|leads nowhere/,
  ],
  "a link to a link to its folder's folder": [
    [
      { name: "context/d/root", type: "symlink", linkname: ".." },
      { name: "context/out", type: "symlink", linkname: "d/root/../config.json" },
    ],
    /leads nowhere|leaves the context/,
  ],
  "a file written through a link": [
    [
      { name: "context/d", type: "symlink", linkname: "." },
      { name: "context/d/a", text: "x" },
    ],
    /lies below the link d/,
  ],
  "a link that replaces a folder": [
    [
      { name: "context/d/a", text: "x" },
      { name: "context/d", type: "symlink", linkname: "." },
    ],
    /appears twice/,
  ],
  "a link to itself": [
    [{ name: "context/a", type: "symlink", linkname: "a" }],
    /leads nowhere|goes in circles/,
  ],
  "a hard link": [
    [
      { name: "context/a", text: "x" },
      { name: "context/b", type: "link", linkname: "/etc/passwd" },
    ],
    /is a link/,
  ],
  "a device": [
    [{ name: "context/a", type: "character-device", devmajor: 1, devminor: 3 }],
    /device/,
  ],
  "a FIFO": [[{ name: "context/a", type: "fifo" }], /is a fifo/],
  "the same name twice": [
    [
      { name: "context/a", text: "x" },
      { name: "./context//a", text: "y" },
    ],
    /appears twice/,
  ],
  "a file below a file": [
    [
      { name: "context/a", text: "x" },
      { name: "context/a/b", text: "y" },
    ],
    /lies below the file a/,
  ],
  "a context that is a file": [[{ name: "context", text: "x" }], /must be a folder/],
  "a context that is a link": [
    [{ name: "context", type: "symlink", linkname: "/etc" }],
    /must be a folder/,
  ],
  "a file over its limit": [[{ name: "context/a", text: "x".repeat(100_001) }], /at most 100000/],
  "files over the limit together": [
    Array.from({ length: 4 }, (_, index) => ({
      name: `context/${index}`,
      text: "x".repeat(90_000),
    })),
    /over 300000 bytes/,
  ],
  "too many entries": [
    Array.from({ length: 51 }, (_, index) => ({ name: `context/${index}`, text: "" })),
    /one entry too many/,
  ],
  "settings over their limit": [
    [{ name: "com.openfaas.docker.config", text: "x".repeat(70_000) }],
    /at most 65536 fit/,
  ],
  "settings that come twice": [CONFIG, /appears twice/],
  "settings that are a link": [
    [{ name: "com.openfaas.docker.config", type: "symlink", linkname: "/etc/passwd" }],
    /must be a file/,
  ],
};

/** Tars that lie about sizes or end too early, and the status of their refusal. */
export async function packLies(): Promise<Readonly<Record<string, readonly [Uint8Array, number]>>> {
  const cut = await packEntries([...CONFIG, { name: "context/a", text: "x".repeat(50_000) }]);
  return {
    "a tar that ends in the middle of a file": [cut.subarray(0, 20_000), 400],
    "a tar that ends before a file's first byte": [
      (await packWithSize("4755".padEnd(12, "\0"))).subarray(0, -1_024),
      400,
    ],
    "bytes that are no tar": [new Uint8Array(2_000).fill(65), 400],
    "a size that lies about gigabytes": [await packWithSize("77777777777\0"), 422],
    "a size that is less than what comes": [await packWithSize("00000000001\0", 5_000), 400],
    // Neither octal nor one of the two marks of a binary number.
    "a size that is no number": [await packWithSize("\xac".padEnd(12, "\0")), 422],
  };
}

export async function packEntries(entries: readonly Entry[]): Promise<Uint8Array<ArrayBuffer>> {
  const tar = pack();
  for (const { text, ...header } of entries) {
    if (text === undefined) tar.entry(header);
    else tar.entry(header, text);
  }
  tar.finalize();
  return collect(tar);
}

/** A file of so many bytes whose header has this in its field of twelve for the size. */
async function packWithSize(field: string, bytes = 1): Promise<Uint8Array> {
  const entries = [...CONFIG, { name: "context/a", text: "x".repeat(bytes) }];
  const tar = Buffer.from(await packEntries(entries));
  const header = tar.subarray(tar.indexOf("context/a"));
  header.write(field, 124, "latin1");
  writeChecksum(header);
  return tar;
}

/** A tar of empty files that begins with these entries, made as it is read; `made` hears of each. */
export async function* packMany(
  first: readonly Entry[],
  count: number,
  made: (entries: number) => void,
): AsyncGenerator<Uint8Array> {
  // Without the two blocks of its end.
  yield (await packEntries(first)).subarray(0, -1_024);
  const one = Buffer.from(await packEntries([{ name: `context/f${"0".repeat(7)}`, text: "" }]));
  for (let at = 0; at < count; at += 100) {
    const chunk = Array.from({ length: 100 }, (_, index) => {
      const header = Buffer.from(one.subarray(0, 512));
      header.write(String(at + index).padStart(7, "0"), "context/f".length);
      writeChecksum(header);
      return header;
    });
    made(at + 100);
    yield Buffer.concat(chunk);
  }
  yield new Uint8Array(1_024);
}

/** The sum of a header's bytes, its own field read as blanks. */
function writeChecksum(header: Buffer): void {
  header.fill(" ", 148, 156);
  const sum = header.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
}
