import test from "ava";
import { findBases, listBases, writeDigests } from "./find-bases.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;

const CASES: readonly (readonly [what: string, text: string, bases: readonly string[]])[] = [
  ["FROM", "FROM node:24-alpine\n", ["node:24-alpine"]],
  ["FROM in lower case with a platform", "from --platform=linux/amd64 node:24 as x\n", ["node:24"]],
  ["two stages on one image", "FROM node:24 AS a\nFROM node:24\nCOPY --from=a / /\n", ["node:24"]],
  ["a stage on a stage", "FROM node:24 AS A\nFROM a\nCOPY --from=0 / /\n", ["node:24"]],
  ["an empty image", "FROM scratch\n", []],
  ["COPY --from", "FROM a:1\nCOPY --chown=1 --from=b:2 --link /x /x\n", ["a:1", "b:2"]],
  [
    "a mount",
    "FROM a:1\nRUN --mount=type=bind,from=b:2,target=/x --network=none echo from=c:3\n",
    ["a:1", "b:2"],
  ],
  [
    "an argument's default",
    'ARG TAG="24"\nARG BASE=node:$TAG\nFROM ${BASE}-alpine\n',
    ["node:24-alpine"],
  ],
  ["an argument's alternative", "FROM node:${TAG:-24}\n", ["node:24"]],
  ["an argument of the caller", "ARG WHO=a\nFROM ${WHO}:1\n", ["caller:1"]],
  ["an argument that is not declared", "FROM ${WHO:-a}:1\n", ["a:1"]],
  ["an argument of a stage", "FROM a:1\nARG TAG=2\nFROM b:$TAG\n", ["a:1"]],
  ["a platform's argument", "FROM a:$TARGETARCH\n", []],
  ["a continuation", "FROM \\\n  # why\n  a:1\nRUN echo \\\nFROM b:1\n", []],
  [
    "a here-document",
    "FROM a:1\nCOPY <<EOF /Dockerfile\nFROM b:2\nEOF\nCOPY --from=c:3 / /\n",
    ["a:1", "c:3"],
  ],
  ["another escape", "# escape=`\nFROM a:1\nRUN dir c:\\\nCOPY --from=b:2 / /\n", ["a:1", "b:2"]],
  ["ONBUILD", "FROM a:1\nONBUILD COPY --from=b:2 / /\n", ["a:1"]],
  ["a digest of its own", `FROM a:1@${DIGEST}\n`, []],
  ["Windows line ends", "FROM a:1\r\nRUN true\r\n", ["a:1"]],
  ["no end of line", "FROM 127.0.0.1:5000/base/a", ["127.0.0.1:5000/base/a"]],
  ["quotes", 'FROM "a:1"\n', []],
];

for (const [what, text, bases] of CASES)
  test(`images to be pinned of ${what}: ${bases.join(", ") || "none"}`, (t) => {
    t.deepEqual(listBases(text, { WHO: "caller" }), bases);
  });

test("what cannot be told is found without a reference", (t) => {
  t.deepEqual(findBases("FROM a:$TARGETARCH\n", {}), [{ start: 5, written: "a:$TARGETARCH" }]);
});

test("digests stand behind the references they belong to, and nothing else changes", (t) => {
  const text = [
    "# syntax=docker/dockerfile:1",
    "ARG BASE=node:24",
    "FROM  ${BASE}  AS build",
    "RUN --mount=from=tools:1,target=/t echo node:24",
    "",
    "FROM local:1",
    "COPY --from=build --chmod=755 /a /a",
    "COPY --from=tools:1 /t /t",
  ].join("\r\n");

  const written = writeDigests(text, {}, (name) => (name === "local:1" ? undefined : DIGEST));

  t.is(
    written,
    text
      .replace("${BASE}", `node:24@${DIGEST}`)
      .replace("from=tools:1,", `from=tools:1@${DIGEST},`)
      .replace("=tools:1 /t", `=tools:1@${DIGEST} /t`),
  );
});

test("arguments that double forty times end as a name that cannot be told", (t) => {
  const doubling = Array.from({ length: 40 }, (_, at) => `ARG A${at + 1}=$A${at}$A${at}\n`);

  const found = findBases(`ARG A0=xxxxxxxxxx\n${doubling.join("")}FROM $A40\n`, {});

  t.deepEqual(
    found.map(({ written, reference }) => [written, reference]),
    [["$A40", undefined]],
  );
});
