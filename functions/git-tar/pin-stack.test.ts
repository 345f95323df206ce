import test from "ava";
import type { BasePins } from "#sdk/base-pin.ts";
import { readTemplates } from "#sdk/templates.ts";
import type { BlobReader } from "./open-blobs.ts";
import { parseStack } from "./parse-stack.ts";
import { pinStack } from "./pin-stack.ts";
import { treeOf } from "./testing/tree-of.ts";

/** The commit's files, with `Dockerfile` of each function as its text. */
async function setUp(
  lang: string,
  files: Readonly<Record<string, string>>,
  registry = "ofc.local",
) {
  const asked: (readonly string[])[] = [];
  const tree = treeOf(files);
  const text = new Map(tree.map(({ id, path }) => [id, files[path] ?? ""]));
  const blobs: BlobReader = {
    read: async (id) => Buffer.from(text.get(id) ?? ""),
    stream: () => {
      throw new Error("nothing is streamed for a plan");
    },
    close() {},
  };
  const fields = `lang: ${lang}, handler: ./cart, build_args: {GO111MODULE: "2"}`;
  const stack = parseStack(`provider: {name: openfaas}\nfunctions: {cart: {${fields}}}\n`, {
    ownerSlug: "alice",
    dockerfile: true,
  });
  const pinBases = async (references: readonly string[]): Promise<BasePins> => {
    asked.push(references);
    const entries = references.map((one) => [one, { kind: "tag", reason: "tests" }] as const);
    return Object.fromEntries(entries);
  };
  const templates = await readTemplates();
  const pins = await pinStack({ stack, tree, templates, registry, blobs, pinBases });
  return { asked, names: Object.keys(pins.get("cart") ?? {}) };
}

test("a template's bases are asked for, each once", async (t) => {
  const { asked, names } = await setUp("node22", { "cart/handler.js": "" });

  t.deepEqual(asked, [["node:24-alpine"]]);
  t.deepEqual(names, ["node:24-alpine"]);
});

test("a function's own Dockerfile is read with its build arguments", async (t) => {
  const Dockerfile = "ARG GO111MODULE=1\nFROM node:$GO111MODULE\nCOPY --from=bash:5 / /\n";

  const { names } = await setUp("dockerfile", { "cart/Dockerfile": Dockerfile });

  t.deepEqual(names, ["bash:5", "node:2"]);
});

test("images of the platform itself have names that never change, so nobody is asked", async (t) => {
  const Dockerfile = "FROM ofc.local/alice/shop/base:1a2b3c4-0\n";

  const { asked, names } = await setUp("dockerfile", { "cart/Dockerfile": Dockerfile });

  t.deepEqual(asked, []);
  t.deepEqual(names, []);
});

test("a function without a Dockerfile has no bases; the plan refuses it with words", async (t) => {
  t.deepEqual((await setUp("dockerfile", { "cart/handler.js": "" })).asked, []);
});
