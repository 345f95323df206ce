import test, { type ExecutionContext } from "ava";
import { readStack } from "./read-stack.ts";
import { StackError } from "./stack-error.ts";
import type { Files } from "./testing/git-server.ts";
import { openTestMirror } from "./testing/open-test-mirror.ts";

const { signal } = new AbortController();

function stack(fields: string): string {
  return `provider: {name: openfaas}\nfunctions: {cart: {lang: node24, handler: cart, ${fields}}}\n`;
}

async function read(t: ExecutionContext, files: Files) {
  const opened = await openTestMirror({ environment: process.env });
  t.teardown(() => opened.close());
  const sha = await opened.server.commit(files);
  await opened.mirror.fetchCommit(sha, signal);
  const blobs = opened.mirror.openBlobs(signal);
  t.teardown(() => blobs.close());
  return readStack(await opened.mirror.listTree(sha, signal), blobs, {
    ownerSlug: "alice",
    dockerfile: false,
  });
}

test("variables of environment files win over the stack's, later files over earlier ones", async (t) => {
  const { functions } = await read(t, {
    "stack.yml": stack(
      "environment: {A: stack, B: stack, C: stack}, environment_file: [one.yml, env/two.yml]",
    ),
    "one.yml": "environment:\n  B: one\n  C: one\n",
    "env/two.yml": "environment:\n  C: 0x1F\n",
  });

  t.deepEqual(functions[0]?.environment, { A: "stack", B: "one", C: "0x1F" });
});

test("stack.yaml is read before stack.yml, as faas-cli does", async (t) => {
  const { functions } = await read(t, {
    "stack.yml": stack("environment: {FROM: yml}"),
    "stack.yaml": stack("environment: {FROM: yaml}"),
  });

  t.is(functions[0]?.environment.FROM, "yaml");
});

const REFUSALS: readonly (readonly [title: string, files: Files, message: string])[] = [
  ["no stack file", { "sub/stack.yml": "x" }, "the commit has no stack.yml in its root"],
  [
    "a stack file that is a link",
    { "stack.yml": { link: "/proc/self/environ" } },
    'stack.yml is "stack.yml"; it is a link; it must be a file',
  ],
  [
    "a stack file of 1 MiB",
    { "stack.yml": "#".repeat(1024 * 1024) },
    'stack.yml is "stack.yml"; it has 1048576 bytes; at most 524288 are read',
  ],
  [
    "a stack file that is not UTF-8",
    { "stack.yml": Buffer.from([0x61, 0x3a, 0xff]) },
    'stack.yml is "stack.yml"; it must be UTF-8 text',
  ],
  [
    "an environment file that is missing",
    { "stack.yml": stack("environment_file: [env.yml]") },
    'functions.cart.environment_file is "env.yml"; the commit holds no such file',
  ],
  [
    "an environment file that is a link",
    { "stack.yml": stack("environment_file: [env.yml]"), "env.yml": { link: "/etc/passwd" } },
    'functions.cart.environment_file is "env.yml"; it is a link; it must be a file',
  ],
  [
    "an environment file with NODE_OPTIONS",
    {
      "stack.yml": stack("environment_file: [env.yml]"),
      "env.yml": "environment: {NODE_OPTIONS: x}",
    },
    'functions.cart.environment: the name "NODE_OPTIONS" decides what a program loads and cannot be set',
  ],
];

for (const [title, files, message] of REFUSALS) {
  test(`a commit is refused: ${title}`, async (t) => {
    await t.throwsAsync(read(t, files), { instanceOf: StackError, message });
  });
}
