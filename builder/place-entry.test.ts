import { posix } from "node:path";
import test from "ava";
import fc from "fast-check";
import type { Header } from "tar-stream";
import { HttpError } from "#sdk/errors.ts";
import { createEntryRules, type Placed } from "./place-entry.ts";

const LIMITS = { maxEntries: 100, maxFileBytes: 100, maxPathBytes: 60, maxContextBytes: 1_000 };
const part = fc.constantFrom(
  "a",
  "b",
  "c",
  "d",
  "context",
  "a",
  "b",
  "..",
  ".",
  "",
  "\\",
  "a\n",
  "\0",
  "é",
  "x".repeat(40),
);
const path = fc.array(part, { minLength: 1, maxLength: 6 }).map((parts) => parts.join("/"));
const REST = { uid: 0, gid: 0, uname: "", gname: "", devmajor: 0, devminor: 0, mtime: new Date(0) };
const header = fc
  .record({
    name: fc.oneof(
      { weight: 6, arbitrary: path.map((text) => `context/${text}`) },
      { weight: 1, arbitrary: path },
      { weight: 1, arbitrary: fc.string({ unit: "binary" }) },
    ),
    type: fc.constantFrom(
      "file",
      "directory",
      "symlink",
      "link",
      "fifo",
      "block-device",
      "contiguous-file",
    ),
    linkname: fc.oneof(path, fc.constant("/etc/passwd"), fc.constant("")),
    size: fc.oneof(
      { weight: 9, arbitrary: fc.nat(110) },
      { weight: 1, arbitrary: fc.constantFrom(-1, Number.NaN, 2 ** 60) },
    ),
    mode: fc.nat(0o7777),
  })
  .map((one): Header => ({ ...REST, ...one }));

type Inside = Extract<Placed, { readonly path: string }>;

/** What is placed of these entries, up to the first that is refused. */
function placeAll(headers: readonly Header[]): Inside[] {
  const decide = createEntryRules(LIMITS);
  const placed: Inside[] = [];
  try {
    for (const one of headers) {
      const entry = decide(one);
      if ("path" in entry) placed.push(entry);
    }
  } catch (error) {
    if (!(error instanceof HttpError) || error.status !== 422) throw error;
  }
  return placed;
}

test("whatever the entries of a tar are, each is placed inside the context or refused with 422", (t) => {
  let placed = 0;
  fc.assert(
    fc.property(fc.array(header, { maxLength: 8 }), (headers) => {
      const links = new Set<string>();
      for (const entry of placeAll(headers)) {
        placed += 1;
        t.is(
          posix.join("/context", entry.path),
          posix.normalize(`/context/${entry.path}`.replace(/\/$/, "")),
        );
        t.false(entry.path.startsWith("/") || entry.path.split("/").includes(".."), entry.path);
        t.false(
          [...links].some((link) => entry.path.startsWith(`${link}/`)),
          "nothing is written through a link",
        );
        if (entry.kind === "link") {
          links.add(entry.path);
          const target = posix.join("/x", posix.dirname(entry.path), entry.target);
          t.true(target.startsWith("/x"), `${entry.path} -> ${entry.target}`);
        }
        if (entry.kind === "file") t.true(entry.mode === 0o644 || entry.mode === 0o755);
      }
    }),
    { numRuns: 3_000 },
  );
  t.true(placed > 100, "some entries are good");
});
