import test from "ava";
import type { Template } from "#sdk/templates.ts";
import { parseStack } from "./parse-stack.ts";
import type { StackPins } from "./pin-stack.ts";
import { type PlanInput, planFunctions } from "./plan-build.ts";
import { StackError } from "./stack-error.ts";
import { treeOf } from "./testing/tree-of.ts";

const template: Template = {
  name: "node24",
  aliases: ["node22"],
  folder: "/templates/node24",
  handlerFolder: "function",
  fprocess: "node index.js",
  host: { command: ["node", "index.js"], install: "npm", env: {} },
  digest: "d".repeat(64),
  files: [],
};
const { host: _, ...inContainers } = { ...template, name: "java17", aliases: [] };
const FILES = { "stack.yml": "x", "cart/handler.js": "1", "cart/package.json": "{}" };

/** A stack of one function `cart`, with fields in YAML's flow style. */
function stackOf(fields = "", { lang = "node22", tail = "", handler = "./cart" } = {}) {
  const text = `provider: {name: openfaas}\nfunctions: {cart: {lang: ${lang}, handler: ${handler}, ${fields}}}\n${tail}`;
  return parseStack(text, { ownerSlug: "alice", dockerfile: true });
}

function plan(changes: Partial<PlanInput> = {}) {
  const input: PlanInput = {
    stack: stackOf(),
    tree: treeOf(FILES),
    templates: [template, inContainers],
    owner: { id: "github:583231", scm: "github", login: "Alice", slug: "alice" },
    repository: {
      id: "github:42",
      name: "Shop",
      url: "https://github.com/Alice/Shop",
      private: true,
    },
    sha: "9f2c1d7".padEnd(40, "0"),
    branch: "main",
    registry: "127.0.0.1:5000/",
    platform: "linux/amd64",
    engine: { kind: "docker", base: "sha256:b" },
    defaults: {
      memoryLimit: "128Mi",
      cpuLimit: "500m",
      cpuRequest: "100m",
      scaleMin: 1,
      scaleMax: 4,
      scaleFactor: 20,
      scaleToZero: true,
      readOnlyRootFilesystem: true,
    },
    ...changes,
  };
  const [cart] = planFunctions(input).functions;
  if (cart === undefined) throw new Error("no function was planned");
  return cart;
}

test("a function is planned with image, secrets, labels and the platform's limits", (t) => {
  const cart = plan({
    stack: stackOf("environment: {A: b}, secrets: [db], annotations: {topic: orders}", {
      tail: "configuration: {copy: [common]}",
    }),
    tree: treeOf({ ...FILES, "common/a.js": "2" }),
  });

  t.regex(cart.key, /^v1:[0-9a-f]{64}$/);
  const image = `127.0.0.1:5000/alice/shop/cart:9f2c1d7-${cart.key.slice(3, 15)}`;
  t.deepEqual(cart, {
    name: "cart",
    service: "alice-cart",
    lang: "node24",
    key: cart.key,
    image,
    handler: "cart",
    copy: ["common"],
    buildArgs: {},
    specHash: cart.specHash,
    deployment: {
      service: "alice-cart",
      image,
      namespace: "openfaas-fn",
      envProcess: "node index.js",
      envVars: { A: "b" },
      secrets: ["alice-db"],
      labels: {
        faas_function: "alice-cart",
        app: "alice-cart",
        "com.openfaas.scale.min": "1",
        "com.openfaas.scale.max": "4",
        "com.openfaas.scale.factor": "20",
        "com.openfaas.scale.zero": "true",
        "com.openfaas.cloud.git-cloud": "1",
        "com.openfaas.cloud.git-owner": "Alice",
        "com.openfaas.cloud.git-owner-id": "583231",
        "com.openfaas.cloud.git-repo": "Shop",
        "com.openfaas.cloud.git-repo-id": "42",
        "com.openfaas.cloud.git-sha": "9f2c1d7".padEnd(40, "0"),
        "com.openfaas.cloud.git-private": "1",
        "com.openfaas.cloud.git-scm": "github",
        "com.openfaas.cloud.git-branch": "main",
      },
      annotations: {
        topic: "orders",
        "com.openfaas.cloud.git-repo-url": "https://github.com/Alice/Shop",
      },
      limits: { memory: "128Mi", cpu: "500m" },
      requests: { cpu: "100m" },
      readOnlyRootFilesystem: true,
    },
  });
});

test("a branch with a slash and a name over 63 characters become annotations", (t) => {
  const name = "a".repeat(64);
  const { deployment } = plan({
    branch: "feature/x",
    repository: { id: "github:42", name, url: "https://x", private: false },
  });

  t.is(deployment.labels?.["com.openfaas.cloud.git-branch"], undefined);
  t.is(deployment.labels?.["com.openfaas.cloud.git-repo"], undefined);
  t.like(deployment.annotations, {
    "com.openfaas.cloud.git-branch": "feature/x",
    "com.openfaas.cloud.git-repo": name,
  });
});

function pinned(digit: string): StackPins {
  const pin = { kind: "digest", digest: `sha256:${digit.repeat(64)}` } as const;
  return new Map([["cart", { "node:24": pin }]]);
}

const KEY_CHANGES: readonly (readonly [title: string, changes: Partial<PlanInput>])[] = [
  ["a file's content", { tree: treeOf({ ...FILES, "cart/handler.js": "2" }) }],
  ["a file's name", { tree: treeOf({ "cart/index.js": "1", "cart/package.json": "{}" }) }],
  ["a file's mode", { tree: treeOf(FILES, { "cart/handler.js": "executable" }) }],
  ["a new file", { tree: treeOf({ ...FILES, "cart/more.js": "" }) }],
  ["the owner", { owner: { id: "forge:583231", scm: "forge", login: "Alice", slug: "alice" } }],
  ["the engine", { engine: { kind: "process", base: "sha256:b" } }],
  ["the base image", { engine: { kind: "docker", base: "sha256:c" } }],
  ["what a base's name stands for", { pins: pinned("1") }],
  ["the platform", { platform: "linux/arm64" }],
  ["the template", { templates: [{ ...template, digest: "e".repeat(64) }] }],
  ["a build argument", { stack: stackOf("build_args: {GO111MODULE: off}") }],
];
for (const [title, changes] of KEY_CHANGES) {
  test(`another build key comes from ${title}`, (t) => {
    t.not(plan(changes).key, plan().key);
  });
}

const KEY_KEEPERS: readonly (readonly [title: string, changes: Partial<PlanInput>])[] = [
  ["another commit and branch", { sha: "f".repeat(40), branch: "next" }],
  ["files outside the handler", { tree: treeOf({ ...FILES, "other/x": "1", "cart-2/x": "1" }) }],
  [
    "a folder that the builder skips",
    { tree: treeOf({ ...FILES, "cart/build/x": "1", "cart/template/y": "2" }) },
  ],
  ["the order of the listing", { tree: treeOf(FILES).toReversed() }],
  ["the environment", { stack: stackOf("environment: {A: b}") }],
  [
    "a moved handler",
    {
      stack: stackOf("", { handler: "src/cart" }),
      tree: treeOf({ "src/cart/handler.js": "1", "src/cart/package.json": "{}" }),
    },
  ],
];
for (const [title, changes] of KEY_KEEPERS) {
  test(`the build key stays the same with ${title}`, (t) => {
    t.is(plan(changes).key, plan().key);
  });
}

test("the digest of a base is in the key, and why a name has none is not", (t) => {
  const byName = (reason: string): StackPins =>
    new Map([["cart", { "node:24": { kind: "tag", reason } }]]);
  const keys = [pinned("1"), pinned("2"), byName("away"), byName("gone")].map(
    (pins) => plan({ pins }).key,
  );

  t.is(new Set(keys).size, 3);
  t.is(keys[2], keys[3]);
});

const SPEC_CHANGES: readonly (readonly [title: string, changes: Partial<PlanInput>])[] = [
  ["a variable", { stack: stackOf("environment: {A: b}") }],
  ["a secret", { stack: stackOf("secrets: [db]") }],
  ["an annotation", { stack: stackOf("annotations: {topic: a}") }],
  ["scale to zero", { stack: stackOf("labels: {com.openfaas.scale.zero: 'false'}") }],
  [
    "the memory limit",
    {
      defaults: {
        memoryLimit: "256Mi",
        scaleMin: 1,
        scaleMax: 4,
        scaleFactor: 20,
        scaleToZero: true,
        readOnlyRootFilesystem: true,
      },
    },
  ],
  ["the template's process", { templates: [{ ...template, fprocess: "node other.js" }] }],
];
for (const [title, changes] of SPEC_CHANGES) {
  test(`the spec changes with ${title}`, (t) => {
    t.not(plan(changes).specHash, plan().specHash);
  });
}

const SPEC_KEEPERS: readonly (readonly [title: string, changes: Partial<PlanInput>])[] = [
  ["another commit", { sha: "f".repeat(40) }],
  ["a branch whose name is an annotation", { branch: "feature/x" }],
  [
    "a renamed repository",
    { repository: { id: "github:42", name: "Store", url: "https://y", private: false } },
  ],
  ["a changed source file", { tree: treeOf({ ...FILES, "cart/handler.js": "2" }) }],
];
for (const [title, changes] of SPEC_KEEPERS) {
  test(`the spec stays the same with ${title}`, (t) => {
    t.is(plan(changes).specHash, plan().specHash);
  });
}

for (const [name, part] of [
  ["Shop", "shop"],
  [".github", "github"],
  ["a--b..c", "a-b.c"],
  ["my_Shop.", "my_shop"],
  ["...", "repository"],
  ["Größe", "gr-e"],
] as const) {
  test(`the repository ${name} is ${part} in an image's name`, (t) => {
    const { image } = plan({
      repository: { id: "github:42", name, url: "https://x", private: false },
    });

    t.is(image.split("/")[2], part);
  });
}

const REFUSALS: readonly (readonly [
  title: string,
  changes: Partial<PlanInput>,
  message: string,
])[] = [
  [
    "a folder template",
    { tree: treeOf({ ...FILES, "template/node24/Dockerfile": "x" }) },
    'the repository holds "template" in its root; the platform builds from its own templates, rename it',
  ],
  [
    "an unknown lang",
    { stack: stackOf("", { lang: "cobol" }) },
    'functions.cart.lang is "cobol"; it must be one of node24, node22, java17',
  ],
  [
    "a lang in another case",
    { stack: stackOf("", { lang: "Node24" }) },
    'functions.cart.lang is "Node24"; it must be one of node24, node22, java17',
  ],
  [
    "a template that needs containers, without any",
    { stack: stackOf("", { lang: "java17" }), engine: { kind: "process", base: "v24" } },
    'functions.cart.lang is "java17"; it must be one of node24, node22',
  ],
  [
    "a Dockerfile without containers",
    { stack: stackOf("", { lang: "dockerfile" }), engine: { kind: "process", base: "v24" } },
    'functions.cart.lang is "dockerfile"; this platform builds without containers, from templates only',
  ],
  [
    "lang dockerfile without a Dockerfile",
    { stack: stackOf("", { lang: "dockerfile" }) },
    'functions.cart.handler is "cart"; lang dockerfile needs a Dockerfile in it',
  ],
  [
    "a handler that is not there",
    { tree: treeOf({ "stack.yml": "x", "cart-2/x": "1" }) },
    'functions.cart.handler is "cart"; the commit holds no such folder',
  ],
  [
    "a handler that is a file",
    { tree: treeOf({ cart: "x" }) },
    'functions.cart.handler is "cart"; it is a file; it must be a folder',
  ],
  [
    "a handler that is a link",
    { tree: treeOf({ cart: "/etc" }, { cart: "link" }) },
    'functions.cart.handler is "cart"; it is a link; it must be a folder',
  ],
  [
    "a handler behind a link",
    { stack: stackOf("", { handler: "cart/sub" }), tree: treeOf({ cart: "/" }, { cart: "link" }) },
    'functions.cart.handler is "cart/sub"; the commit holds no such folder; "cart" is a link, and links are not followed',
  ],
  [
    "a handler that is a submodule",
    { tree: treeOf({ cart: "x" }, { cart: "submodule" }) },
    'functions.cart.handler is "cart"; it is a submodule; it must be a folder',
  ],
  [
    "a submodule in the handler",
    { tree: treeOf({ ...FILES, "cart/lib": "x" }, { "cart/lib": "submodule" }) },
    '"cart/lib" is a submodule; submodules are not fetched, copy its files in',
  ],
  [
    "a name that is not UTF-8",
    { tree: treeOf({ ...FILES, "cart/\uFFFD": "x" }) },
    '"cart/\uFFFD" has a name that is not plain UTF-8; rename it',
  ],
  [
    "a name with a line feed",
    { tree: treeOf({ ...FILES, "cart/a\nb": "x" }) },
    '"cart/a\\nb" has a name that is not plain UTF-8; rename it',
  ],
  [
    "a path that climbs",
    { tree: treeOf({ ...FILES, "cart/../x": "x" }) },
    '"cart/../x" is not a path inside the repository',
  ],
  [
    "a copied path that is not there",
    { stack: stackOf("", { tail: "configuration: {copy: [common]}" }) },
    'configuration.copy is "common"; the commit holds no such path',
  ],
  [
    "a file of 1 GiB",
    { tree: treeOf(FILES).map((entry) => ({ ...entry, sizeBytes: 1024 ** 3 })) },
    "functions.cart has 2147483648 bytes; at most 268435456 are built",
  ],
  [
    "20,001 files",
    {
      tree: treeOf(Object.fromEntries(Array.from({ length: 20_001 }, (_, i) => [`cart/${i}`, ""]))),
    },
    "functions.cart has 20001 files; at most 20000 are built",
  ],
];
for (const [title, changes, message] of REFUSALS) {
  test(`a plan is refused: ${title}`, (t) => {
    t.throws(() => plan(changes), { instanceOf: StackError, message });
  });
}

test("a Dockerfile of the repository is planned where containers are built", (t) => {
  const cart = plan({
    stack: stackOf("", { lang: "dockerfile" }),
    tree: treeOf({ ...FILES, "cart/Dockerfile": "FROM scratch" }),
  });

  t.is(cart.lang, "dockerfile");
  t.is(cart.deployment.envProcess, undefined);
});
