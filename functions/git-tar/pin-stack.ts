import type { BasePins, PinBases } from "#sdk/base-pin.ts";
import { listBases } from "#sdk/find-bases.ts";
import { findTemplate, type Template } from "#sdk/templates.ts";
import { listUserFiles } from "./context-files.ts";
import type { TreeEntry } from "./list-tree.ts";
import type { BlobReader } from "./open-blobs.ts";
import type { StackFunction } from "./parse-function.ts";
import type { Stack } from "./parse-stack.ts";

export type PinInput = {
  readonly stack: Stack;
  readonly tree: readonly TreeEntry[];
  readonly templates: readonly Template[];
  /** Images below it have tags that never change. */
  readonly registry: string;
  readonly blobs: BlobReader;
  readonly pinBases: PinBases;
};

/** By function. */
export type StackPins = ReadonlyMap<string, BasePins>;

const FILE = "Dockerfile";
/** The builder refuses larger ones. */
const FILE_LIMIT_BYTES = 64 * 1024;

/**
 * What the base images of each function's Dockerfile stand for now. A function that cannot be built has none
 * here; the plan says why.
 */
export async function pinStack(input: PinInput): Promise<StackPins> {
  const named = new Map<string, readonly string[]>();
  for (const fn of input.stack.functions) named.set(fn.name, await listBasesOf(fn, input));
  const references = new Set([...named.values()].flat());
  const pins = references.size === 0 ? {} : await input.pinBases([...references]);
  return new Map([...named].map(([name, bases]) => [name, pick(pins, bases)]));
}

async function listBasesOf(fn: StackFunction, input: PinInput): Promise<readonly string[]> {
  const text = await readDockerfile(fn, input);
  return listBases(text, fn.buildArgs).filter((name) => !name.startsWith(`${input.registry}/`));
}

async function readDockerfile(
  { name, lang, handler }: StackFunction,
  { stack, tree, templates, blobs }: PinInput,
): Promise<string> {
  const template = findTemplate(templates, lang);
  if (template !== undefined)
    return template.files.find(({ path }) => path === FILE)?.content.toString() ?? "";
  const files = listUserFiles(tree, { name, handler, copy: stack.copy });
  const own = files.find(({ path }) => path === FILE)?.entry;
  if (own === undefined || own.kind === "link" || own.sizeBytes > FILE_LIMIT_BYTES) return "";
  return (await blobs.read(own.id)).toString();
}

function pick(pins: BasePins, references: readonly string[]): BasePins {
  const chosen = new Set(references);
  return Object.fromEntries(Object.entries(pins).filter(([name]) => chosen.has(name)));
}
