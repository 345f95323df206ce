import test from "ava";
import { checkDockerfile, checkImage, type ImageRules } from "./image-rules.ts";

const OWN = "ofc.local/alice/shop/cart:1";
const RULES: ImageRules = {
  platformPrefixes: ["ofc.local", "registry.example.org/functions/"],
  basePrefixes: [],
  syntaxes: ["docker/dockerfile"],
};

function check(text: string, buildArgs: Readonly<Record<string, string>> = {}, rules = RULES) {
  return () => checkDockerfile(text, buildArgs, OWN, rules);
}

for (const [what, text] of [
  ["another owner's image", "FROM ofc.local/bob/shop/cart:1"],
  ["it by its digest", `FROM ofc.local/bob/shop/cart@sha256:${"a".repeat(64)}`],
  ["it in capitals and lower case", "from OFC.local/Bob/shop/cart"],
  ["it where it is pushed", "FROM registry.example.org/functions/bob/shop/cart"],
  ["an owner whose name begins alike", "FROM ofc.local/alice-b/shop/cart"],
  ["the platform's prefix itself", "FROM registry.example.org/functions"],
  ["a quoted name", 'FROM "ofc.local/bob/x"'],
  ["an escaped name", "FROM ofc.local/b\\ob/x"],
  ["a name over two lines", "FROM ofc.lo\\\ncal/bob/x"],
  ["an instruction over two lines", "FR\\\nOM ofc.local/bob/x"],
  ["a comment between", "FROM \\\n# a comment\nofc.local/bob/x"],
  ["another escape character", "# escape=`\nFROM `\nofc.local/bob/x"],
  ["a platform flag before it", "FROM --platform=linux/amd64 ofc.local/bob/x AS a"],
  ["an argument", "ARG A=ofc.local/bob\nFROM $A/x"],
  ["an argument of an argument", "ARG B=bob\nARG A=ofc.local/${B}\nFROM ${A}/x"],
  ["an argument's default", "FROM ${NONE:-ofc.local/bob}/x"],
  ["COPY --from", "FROM a\nCOPY --from=ofc.local/bob/x /a /b"],
  ["a quoted --from", 'FROM a\nCOPY --chown=1 --from="ofc.local/bob/x" /a /b'],
  ["a mount of RUN", "FROM a\nRUN --mount=type=bind,target=/b,from=ofc.local/bob/x ls"],
  ["ONBUILD", "FROM a\nONBUILD COPY --from=ofc.local/bob/x /a /b"],
  [
    "what an old version does not take for a here-document",
    "FROM a\nRUN <<E\nFROM ofc.local/bob/x\nE",
  ],
  ["what follows a here-document", "FROM a\nRUN <<'E\\'\nls\nE\\\nFROM ofc.local/bob/x"],
  ["a registry of this machine", "FROM localhost:5000/bob/x"],
  ["an address", "FROM 10.1.2.3/bob/x"],
  ["an address of IPv6", "FROM [::1]:5000/bob/x"],
  ["a single word as registry", "FROM registry:5000/bob/x"],
] as const)
  test(`a Dockerfile is refused that reaches for ${what}`, (t) => {
    t.throws(check(text), { message: /uses the image/ });
  });

for (const [what, text, reason] of [
  ["a variable that comes with the build", "FROM a:$(date)", /no value before the build/],
  ["a frontend of its own", "# syntax=evil/frontend:1\nFROM a", /frontend "evil\/frontend:1"/],
  ["a frontend behind a shebang", "#!/bin/x\n# SYNTAX = evil/x\nFROM a", /frontend "evil\/x"/],
  ["a frontend in slashes", "//syntax=evil/x\nFROM a", /frontend "evil\/x"/],
  ["a frontend in JSON", '{"syntax": "evil/x"}', /is JSON/],
  ["ADD of an address", "FROM a\nADD --chown=1 https://example.org/a /a", /ADD takes files/],
  [
    "ADD of an address as a list",
    'FROM a\nADD ["HTTP://169.254.169.254/", "/a"]',
    /ADD takes files/,
  ],
  ["ADD of a repository", "FROM a\nADD git@example.org:a/b.git /a", /ADD takes files/],
  ["ADD of a variable", "FROM a\nARG A=http://x\nADD ${A} /a", /ADD takes files/],
  ["ADD in ONBUILD", "FROM a\nONBUILD ADD http://x /a", /ADD takes files/],
  ["more lines than are read", "FROM a\n".repeat(2_001), /more than 2000 lines/],
] as const)
  test(`a Dockerfile is refused with ${what}`, (t) => {
    t.throws(check(text), { message: reason });
  });

for (const [what, text] of [
  ["public images", "FROM node:24-alpine AS a\nFROM ghcr.io/x/y:1\nFROM docker.io/library/alpine"],
  ["stages", "FROM a AS b\nFROM b\nCOPY --from=b /a /b\nCOPY --from=0 /a /b"],
  [
    "its own image",
    "FROM ofc.local/alice/shop/cart:2\nFROM registry.example.org/functions/alice/x",
  ],
  ["an allowed frontend", "# syntax=docker/dockerfile:1.7\nFROM a"],
  ["the same by its whole name", "# syntax=docker.io/docker/dockerfile:1\nFROM a"],
  ["nothing at all", "FROM scratch"],
  ["ADD of files", "FROM a\nADD a.tar.gz b /c/\nADD ./a$B $HOME/"],
  ["a given argument", "ARG V\nFROM node:${V}-alpine"],
] as const)
  test(`a Dockerfile passes with ${what}`, (t) => {
    t.notThrows(check(text, { V: "24" }));
  });

for (const name of ["BUILDKIT_SYNTAX", "buildkit_cache_mount_ns", "A=B", "a-b"])
  test(`the build argument ${name} is refused`, (t) => {
    t.throws(check("FROM a", { [name]: "x" }), { code: "bad-build-arg" });
  });

test("where bases are listed nothing else is built on, and a nearby registry may be among them", (t) => {
  const rules = { ...RULES, basePrefixes: ["127.0.0.1:5000/base/", "node"] };

  t.notThrows(
    check("FROM 127.0.0.1:5000/base/x:24 AS a\nFROM a\nFROM node:24\nFROM scratch", {}, rules),
  );
  t.throws(check("FROM alpine:3", {}, rules), {
    message: /build on 127\.0\.0\.1:5000\/base\/, node/,
  });
  t.throws(() => checkImage("docker.io/library/alpine:latest", OWN, rules));
});

test("a Dockerfile made to be slow is read all the same", (t) => {
  t.throws(check(`${"FROM \\\n".repeat(1_900)}ofc.local/bob/x`), { message: /uses the image/ });
  t.throws(check(`${"ARG A=$A$A\n".repeat(500)}FROM $A$A$A$A`), { code: "bad-dockerfile" });
});
