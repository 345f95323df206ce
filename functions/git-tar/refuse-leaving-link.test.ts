import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import fc from "fast-check";
import { refuseLeavingLink } from "./refuse-leaving-link.ts";
import { StackError } from "./stack-error.ts";

const STAYS: readonly (readonly [title: string, links: Record<string, string>])[] = [
  ["to a file beside it", { "function/a": "b" }],
  ["to nothing that is there", { "function/a": "missing/file" }],
  ["up to the template's files", { "function/a": "../package.json" }],
  ["to the context's root", { "function/a/b": "../../." }],
  ["down and up again", { "function/a": "b/../c" }],
  ["through another link", { current: "releases/1", "function/a": "../current/x" }],
];
const LEAVES: readonly (readonly [title: string, links: Record<string, string>])[] = [
  ["to an absolute path", { "function/a": "/etc/passwd" }],
  ["above the context", { "function/a": "../../secrets" }],
  ["above the context after going down", { "function/a": "b/c/../../../../x" }],
  ["through another link that went up", { "f/b/c/a": "up/../../x", "f/b/c/up": "../../.." }],
  ["nowhere", { "function/a": "" }],
  ["in circles", { a: "b", b: "a" }],
  ["to itself", { a: "a/x" }],
  ["in growing circles", { a: "b/b", b: "a/a" }],
];

for (const [title, links] of STAYS) {
  test(`a link stays in the context: ${title}`, (t) => {
    const map = new Map(Object.entries(links));

    t.notThrows(() => [...map.keys()].map((path) => refuseLeavingLink(path, map)));
  });
}

for (const [title, links] of LEAVES) {
  test(`a link is refused with path and target: ${title}`, (t) => {
    const map = new Map(Object.entries(links));
    const [path = "", target = ""] = Object.entries(links)[0] ?? [];

    const error = t.throws(() => refuseLeavingLink(path, map), { instanceOf: StackError });

    t.true(
      error.message.startsWith(`the link ${JSON.stringify(path)} -> ${JSON.stringify(target)} `),
    );
  });
}

const PLACES = ["l1", "l2", "d/l3", "d/e/l4"];
const step = fc.constantFrom("..", "..", ".", "d", "e", "l1", "l2", "l3", "l4");
const target = fc.array(step, { minLength: 1, maxLength: 6 }).map((steps) => steps.join("/"));

test("whatever links are let through, the kernel does not leave the context by any of them", (t) => {
  let followed = 0;
  fc.assert(
    fc.property(fc.tuple(target, target, target, target), (targets) => {
      const links = new Map(PLACES.map((place, index) => [place, targets[index] ?? ""]));
      if ([...links.keys()].some((path) => isRefused(path, links))) return;
      for (const real of resolveLinks(links)) {
        followed += 1;
        t.true(`${real}/`.startsWith("/context/"), `${JSON.stringify([...links])}: ${real}`);
      }
    }),
    { numRuns: 400 },
  );
  t.true(followed > 0, "some links led somewhere");
});

function isRefused(path: string, links: ReadonlyMap<string, string>): boolean {
  try {
    refuseLeavingLink(path, links);
    return false;
  } catch (error) {
    if (error instanceof StackError) return true;
    throw error;
  }
}

/** Where the kernel ends that follows each link, `/context` being theirs; links to nothing are left out. */
function resolveLinks(links: ReadonlyMap<string, string>): string[] {
  const outside = realpathSync(mkdtempSync(join(tmpdir(), "links-")));
  try {
    for (const folder of ["context/d/e/d", "d/e", "e/d"])
      mkdirSync(join(outside, folder), { recursive: true });
    const context = join(outside, "context");
    for (const [path, to] of links) symlinkSync(to, join(context, path));
    return [...links.keys()].flatMap((path) => {
      try {
        // Node's own realpath takes `..` off a target before it follows the links in it.
        return [realpathSync.native(join(context, path)).slice(outside.length)];
      } catch {
        // It leads nowhere, or in circles.
        return [];
      }
    });
  } finally {
    rmSync(outside, { recursive: true });
  }
}

// Found by fuzzing: with a path put together anew for each part, one such link took seconds.
test("a link of very many parts is walked in a time that grows with its length only", (t) => {
  const links = new Map([["link", "3e/".repeat(200_000)]]);

  t.notThrows(() => refuseLeavingLink("link", links));
});
