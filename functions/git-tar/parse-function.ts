import { labels } from "#sdk/labels.ts";
import { refuseFunctionKey } from "#sdk/names.ts";
import { type FieldReader, refuseMany } from "./field-reader.ts";
import { parseAnnotations } from "./parse-annotations.ts";
import { parseEnvironment } from "./parse-environment.ts";
import { resolveInside } from "./repository-path.ts";
import { refuse, StackError } from "./stack-error.ts";
import type { YamlMap, YamlValue } from "./stack-yaml.ts";

export type StackFunction = {
  /** Key in stack.yml, checked against the owner's slug. */
  readonly name: string;
  /** As written, with `dockerfile` in lower case; a template's name or alias. */
  readonly lang: string;
  /** Folder in the repository without `./`; `""` is the root. */
  readonly handler: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Files of the repository whose variables win over `environment`, later ones over earlier ones. */
  readonly environmentFiles: readonly string[];
  /** Names as written, without the owner's prefix. */
  readonly secrets: readonly string[];
  /** What `com.openfaas.scale.zero` asks for; absent when it is not written. */
  readonly scaleToZero?: boolean;
  readonly annotations: Readonly<Record<string, string>>;
  readonly buildArgs: Readonly<Record<string, string>>;
};

export type FunctionOptions = {
  readonly ownerSlug: string;
  /** Whether `lang: dockerfile` may be used (`enable_dockerfile_lang`). */
  readonly dockerfile: boolean;
};

/** Fields OpenFaaS knows and the platform decides itself; `image` and `platforms` are ignored in silence. */
const DECIDED_HERE = new Set(
  "fprocess build_options build_secrets constraints limits requests readonly_root_filesystem namespace network registry_auth".split(
    " ",
  ),
);
const READ = new Set(
  "lang handler image skip_build platforms environment environment_file secrets labels annotations build_args".split(
    " ",
  ),
);
const BUILD_ARGS: ReadonlySet<string> = new Set(["GO111MODULE"]);
const LANG = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}(@[A-Za-z0-9._/-]{1,100})?$/;
const SECRET = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const SECRETS_LIMIT = 50;
const FILES_LIMIT = 10;

/** Read one entry of `functions`. Throws StackError naming field, value and rule. */
export function parseFunction(
  name: string,
  value: YamlValue,
  options: FunctionOptions,
  read: FieldReader,
): StackFunction {
  const reason = refuseFunctionKey(name, options.ownerSlug);
  if (reason !== undefined) throw new StackError(reason);
  const field = `functions.${name}`;
  const fields = read.map(field, value);
  if (read.boolean(`${field}.skip_build`, fields.get("skip_build")) === true)
    refuse(`${field}.skip_build`, "true", "every function is built from this repository");
  noteIgnored(field, fields, read);

  const scaleToZero = parseLabels(`${field}.labels`, fields, read);
  return {
    name,
    lang: parseLang(`${field}.lang`, fields, options, read),
    handler: parseHandler(`${field}.handler`, fields, read),
    environment: parseEnvironment(
      `${field}.environment`,
      read.texts(`${field}.environment`, fields.get("environment")),
    ),
    environmentFiles: parseFiles(`${field}.environment_file`, fields, read),
    secrets: parseSecrets(`${field}.secrets`, fields, read),
    ...(scaleToZero === undefined ? {} : { scaleToZero }),
    annotations: parseAnnotations(
      `${field}.annotations`,
      read.texts(`${field}.annotations`, fields.get("annotations")),
      read,
    ),
    buildArgs: parseBuildArgs(`${field}.build_args`, fields, read),
  };
}

function noteIgnored(field: string, fields: YamlMap, read: FieldReader): void {
  for (const key of fields.keys()) {
    if (DECIDED_HERE.has(key))
      read.note(`${field}.${key} is decided by the platform; it is ignored`);
    else if (!READ.has(key))
      read.note(`${field}.${key} is not a field of stack.yml; it is ignored`);
  }
}

function parseLang(
  field: string,
  fields: YamlMap,
  { dockerfile }: FunctionOptions,
  read: FieldReader,
) {
  const lang = read.text(field, fields.get("lang"));
  if (!LANG.test(lang)) refuse(field, lang, "it must be the name of a template");
  if (lang.toLowerCase() !== "dockerfile") return lang;
  if (!dockerfile)
    refuse(
      field,
      lang,
      "this platform builds from its own templates only (enable_dockerfile_lang is off)",
    );
  return "dockerfile";
}

function parseHandler(field: string, fields: YamlMap, read: FieldReader): string {
  const text = read.text(field, fields.get("handler"));
  return resolveInside(text) ?? refuse(field, text, "it must be a folder inside the repository");
}

function parseFiles(field: string, fields: YamlMap, read: FieldReader): readonly string[] {
  const files = read.list(field, fields.get("environment_file"));
  refuseMany(field, files.length, FILES_LIMIT);
  return files.map(
    (file) => resolveInside(file) || refuse(field, file, "it must be a file inside the repository"),
  );
}

function parseSecrets(field: string, fields: YamlMap, read: FieldReader): readonly string[] {
  const names = read.list(field, fields.get("secrets"));
  refuseMany(field, names.length, SECRETS_LIMIT);
  for (const name of names) {
    if (!SECRET.test(name))
      refuse(field, name, 'a name is lower-case letters, digits and "-" (a DNS label)');
  }
  return [...new Set(names)];
}

/** An unparsable scale-to-zero means yes, as in OpenFaaS Cloud. */
function parseLabels(field: string, fields: YamlMap, read: FieldReader): boolean | undefined {
  const given = read.texts(field, fields.get("labels"));
  for (const name of given.keys()) {
    if (name !== labels.scaleZero)
      read.note(`${field}.${name} is not a label the platform takes; it is dropped`);
  }
  const text = given.get(labels.scaleZero);
  return text === undefined ? undefined : !/^(0|f|F|false|FALSE|False)$/.test(text);
}

function parseBuildArgs(field: string, fields: YamlMap, read: FieldReader) {
  const kept: [string, string][] = [];
  for (const [name, value] of read.texts(field, fields.get("build_args"))) {
    if (BUILD_ARGS.has(name)) kept.push([name, value]);
    else read.note(`${field}.${name} is not a build argument the platform takes; it is dropped`);
  }
  return Object.fromEntries(kept);
}
