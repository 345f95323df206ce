import { createFieldReader, type FieldReader, refuseMany } from "./field-reader.ts";
import { type FunctionOptions, parseFunction, type StackFunction } from "./parse-function.ts";
import { resolveInside } from "./repository-path.ts";
import { refuse, StackError } from "./stack-error.ts";
import { readYaml, type YamlMap } from "./stack-yaml.ts";

/** What a repository asks for, checked (spec/pipeline.md section 6 with design.md section 9). */
export type Stack = {
  readonly functions: readonly StackFunction[];
  /** `configuration.copy`: paths of the repository copied beside every handler. */
  readonly copy: readonly string[];
  /** What was dropped or ignored, one sentence each, for the build's log. */
  readonly notes: readonly string[];
};

export type StackOptions = FunctionOptions & {
  /** Name of the file in messages. */
  readonly file?: string;
  readonly maxFunctions?: number;
};

const COPY_LIMIT = 20;

/**
 * Read a `stack.yml`. Scalars keep their text (`version: 1.0`, `on`, `0x1F`). Nothing of the platform's
 * environment enters; see takeDefaults for `${NAME:-default}`. Throws StackError and nothing else.
 */
export function parseStack(text: string, options: StackOptions): Stack {
  const { file = "stack.yml", maxFunctions = 50 } = options;
  const fields = readYaml(text, file);
  const read = createFieldReader();
  checkHeader(fields, read);

  const given = read.map("functions", fields.get("functions"));
  if (given.size === 0) throw new StackError(`functions is empty in ${file}; name at least one`);
  refuseMany("functions", given.size, maxFunctions);
  const functions = [...given].map(([name, value]) => parseFunction(name, value, options, read));
  const copy = parseCopy(fields, read);
  return { functions, copy, notes: read.notes };
}

/** `faas` is what repositories of OpenFaaS Cloud's time still say. */
function checkHeader(fields: YamlMap, read: FieldReader): void {
  const version = read.text("version", fields.get("version"));
  if (version !== "" && version !== "1.0") refuse("version", version, 'it must be "1.0" or absent');
  const provider = read.map("provider", fields.get("provider"));
  const name = read.text("provider.name", provider.get("name"));
  if (name !== "openfaas" && name !== "faas")
    refuse("provider.name", name, 'it must be "openfaas"');
}

function parseCopy(fields: YamlMap, read: FieldReader): readonly string[] {
  const configuration = read.map("configuration", fields.get("configuration"));
  if (configuration.has("templates"))
    read.note("configuration.templates is ignored; the platform builds from its own templates");
  const paths = read.list("configuration.copy", configuration.get("copy"));
  refuseMany("configuration.copy", paths.length, COPY_LIMIT);
  return paths.map(
    (path) =>
      resolveInside(path) ||
      refuse("configuration.copy", path, "it must be a path inside the repository, not its root"),
  );
}
