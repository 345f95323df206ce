import { spawnSync } from "node:child_process";
import test from "ava";
import fc from "fast-check";
import { pushBody } from "../test/helpers/push-delivery.ts";
import { webhookExamples } from "../test/helpers/webhook-examples.ts";
import { HttpError } from "./errors.ts";
import { formatPushEvent, parsePushEvent } from "./push-event.ts";

const parse = (change: Readonly<Record<string, unknown>>) =>
  parsePushEvent(JSON.stringify({ ...pushBody(), ...change }));

test("a push keeps its meaning through being formatted and parsed again", (t) => {
  const pushes = webhookExamples.find(({ name }) => name === "push")?.examples ?? [];
  t.true(pushes.length > 3);

  for (const example of [...pushes, pushBody()]) {
    const push = parsePushEvent(JSON.stringify(example));

    t.deepEqual(parsePushEvent(formatPushEvent(push)), push);
  }
});

test("a push is read with the names of this code", (t) => {
  t.deepEqual(parsePushEvent(JSON.stringify(pushBody({ ref: "refs/heads/a/b" }))), {
    ref: "refs/heads/a/b",
    name: "a/b",
    kind: "branch",
    sha: pushBody().after,
    deleted: false,
    owner: { id: 1, login: "Alice" },
    repository: {
      id: 10,
      name: "shop",
      fullName: "Alice/shop",
      cloneUrl: "https://github.com/Alice/shop.git",
      url: "https://github.com/Alice/shop",
      private: false,
      defaultBranch: "main",
    },
    installationId: 7,
  });
});

test("created, forced and an empty list of commits change nothing about a push", (t) => {
  const plain = parse({});

  for (const more of [{ created: true }, { forced: true }, { commits: [] }, { commits: null }])
    t.deepEqual(parse({ ...more, head_commit: null }), plain);
});

test("a commit of 64 digits is a commit, one of 41 is not", (t) => {
  t.is(parse({ after: "a".repeat(64) }).sha.length, 64);
  t.throws(() => parse({ after: "a".repeat(41) }), { message: /after: is not 40 or 64 hex/ });
});

test("a webhook without an installation has installation 0", (t) => {
  t.is(parse({ installation: undefined }).installationId, 0);
});

const refPart = fc.oneof(
  fc.constantFrom(
    "a",
    "ab",
    ".",
    "..",
    "/",
    "//",
    "@",
    "{",
    "@{",
    "-",
    ".lock",
    "\\",
    "*",
    "?",
    "[",
  ),
  fc.constantFrom(
    "~",
    "^",
    ":",
    " ",
    "\t",
    "\r",
    "\u007f",
    "é",
    "ⅼ",
    "\u202e",
    "𝒶",
    "$(id)",
    ";",
    "'",
  ),
);

test("no ref is taken that git itself would not take", (t) => {
  const name = fc.array(refPart, { minLength: 1, maxLength: 6 }).map((parts) => parts.join(""));
  let taken = 0;
  fc.assert(
    fc.property(name, (text) => {
      const ref = `refs/heads/${text}`;
      if (!isTaken(ref)) return;
      taken += 1;
      t.is(spawnSync("git", ["check-ref-format", ref]).status, 0, JSON.stringify(ref));
    }),
    { numRuns: 400 },
  );
  t.true(taken > 10, "some names are good");
});

function isTaken(ref: string): boolean {
  try {
    return parse({ ref }).ref === ref;
  } catch (error) {
    if (error instanceof HttpError) return false;
    throw error;
  }
}

for (const ref of [
  "refs/heads/a@{1}",
  "refs/heads/a\r",
  "refs/heads/a\u007f",
  "refs/heads/..",
  "refs/heads/a..b",
  "refs/heads/a.lock",
  "refs/heads/.a",
  "refs/heads/a b",
  "refs/heads/a~1",
  "refs/heads/a\u0000b",
  "refs/heads/a\\b",
  "refs/heads/",
  "--upload-pack=sh",
  `refs/heads/${"a".repeat(1_024)}`,
]) {
  test(`ref ${JSON.stringify(ref.slice(0, 30))} is refused by name`, (t) => {
    t.throws(() => parse({ ref }), { instanceOf: HttpError, message: /ref: / });
  });
}

test("whatever JSON comes, it is a push or a 400, never a crash", (t) => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), (json) => {
      try {
        parsePushEvent(json);
      } catch (error) {
        if (!(error instanceof HttpError) || error.status !== 400) throw error;
      }
    }),
  );
  t.pass();
});

test("of two equal keys the last counts, in every function alike", (t) => {
  const body = JSON.stringify(pushBody()).replace('{"ref":', '{"ref":"refs/heads/other","ref":');

  t.is(parsePushEvent(body).ref, "refs/heads/main");
});
