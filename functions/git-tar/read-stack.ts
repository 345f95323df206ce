import { createFieldReader } from "./field-reader.ts";
import type { TreeEntry } from "./list-tree.ts";
import type { BlobReader } from "./open-blobs.ts";
import { parseEnvironment } from "./parse-environment.ts";
import type { StackFunction } from "./parse-function.ts";
import { parseStack, type Stack, type StackOptions } from "./parse-stack.ts";
import { refuse, StackError } from "./stack-error.ts";
import { readYaml } from "./stack-yaml.ts";

const FILE_LIMIT = 512 * 1024;
/** As faas-cli looks for it. */
const NAMES = ["stack.yaml", "stack.yml"];

/** Read the stack file of a commit, with the variables of its `environment_file`s merged in. */
export async function readStack(
  tree: readonly TreeEntry[],
  blobs: BlobReader,
  options: Omit<StackOptions, "file">,
): Promise<Stack> {
  const entry = findStackFile(tree);
  const file = entry.path;
  const stack = parseStack(await readText(blobs, entry, file), { ...options, file });
  const functions: StackFunction[] = [];
  // One after another: a reader of blobs answers one question at a time.
  for (const fn of stack.functions) functions.push(await mergeFiles(fn, tree, blobs));
  return { ...stack, functions };
}

/** The stack file in the root of a commit. Throws StackError when there is none. */
function findStackFile(tree: readonly TreeEntry[]): TreeEntry {
  const found = NAMES.map((name) => tree.find(({ path }) => path === name));
  const entry = found.find((one) => one !== undefined);
  if (entry === undefined) throw new StackError("the commit has no stack.yml in its root");
  return entry;
}

/** `environment` < `environment_file`, later files over earlier ones (spec/faas-cli.md section 1.4). */
async function mergeFiles(
  fn: StackFunction,
  tree: readonly TreeEntry[],
  blobs: BlobReader,
): Promise<StackFunction> {
  const field = `functions.${fn.name}.environment_file`;
  const merged = new Map(Object.entries(fn.environment));
  for (const path of fn.environmentFiles) {
    const entry = tree.find((one) => one.path === path);
    if (entry === undefined) refuse(field, path, "the commit holds no such file");
    const fields = readYaml(await readText(blobs, entry, field), path);
    const variables = createFieldReader().texts(`${path}: environment`, fields.get("environment"));
    for (const [name, value] of variables) merged.set(name, value);
  }
  return { ...fn, environment: parseEnvironment(`functions.${fn.name}.environment`, merged) };
}

async function readText(blobs: BlobReader, entry: TreeEntry, field: string): Promise<string> {
  const { path, kind, id, sizeBytes } = entry;
  if (kind !== "file" && kind !== "executable")
    refuse(field, path, `it is a ${kind}; it must be a file`);
  if (sizeBytes > FILE_LIMIT)
    refuse(field, path, `it has ${sizeBytes} bytes; at most ${FILE_LIMIT} are read`);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await blobs.read(id));
  } catch (error) {
    if (error instanceof TypeError) refuse(field, path, "it must be UTF-8 text");
    throw error;
  }
}
