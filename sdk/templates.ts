import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseDocument } from "yaml";
import { z } from "zod";
import { describe } from "#sdk/errors.ts";

/** Where this tree keeps its templates, laid out as `faas-cli template pull` expects. */
export const TEMPLATES_FOLDER = fileURLToPath(new URL("../templates/template", import.meta.url));

type TemplateFile = {
  /** Relative to the template's folder, with `/`: `function/handler.js`. */
  readonly path: string;
  /** 0o644 or 0o755. */
  readonly mode: number;
  readonly content: Buffer;
};

/** How the process engine builds and starts a function of a template; ignored by faas-cli. */
export type HostBuild = {
  /** First word `node` is the Node that runs the platform, `watchdog` our watchdog, else a program. */
  readonly command: readonly string[];
  readonly install: "npm" | "pip" | "none";
  /** Below what the deployment sets. */
  readonly env: Readonly<Record<string, string>>;
};

export type Template = {
  /** Folder name. */
  readonly name: string;
  /** Other values of `lang` that mean this template. */
  readonly aliases: readonly string[];
  readonly folder: string;
  /** Where the handler goes inside the build context; `function` unless template.yml says otherwise. */
  readonly handlerFolder: string;
  /** Sent as `envProcess` on deploy when the function has none. */
  readonly fprocess?: string;
  /** Absent when the template needs a container build. */
  readonly host?: HostBuild;
  /** 64 hex digits over sorted (path, mode, content); changes when any file of the template does. */
  readonly digest: string;
  /** Every file, sorted by path. */
  readonly files: readonly TemplateFile[];
};

/** The time that reading deeply nested YAML takes grows with its square. */
const LIMIT_CHARACTERS = 16 * 1024;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const HANDLER_FOLDER = /^(?!\.\.?$)[A-Za-z0-9._-]+$/;
/** template.yml with faas-cli's keys (spec/faas-cli.md section 5.2) and ours under `host`. */
const TemplateYml = z.object({
  fprocess: z.string().optional(),
  handler_folder: z.string().regex(HANDLER_FOLDER, "must be one folder name").default("function"),
  host: z
    .object({
      command: z.array(z.string().min(1)).min(1),
      install: z.enum(["npm", "pip", "none"]).default("none"),
      env: z.record(z.string(), z.string()).default({}),
      aliases: z.array(z.string().regex(NAME)).default([]),
    })
    .optional(),
});

/** A template that cannot be used. */
export class TemplateError extends Error {
  override readonly name = "TemplateError";
}

/** Read every template under `folder`. An unusable one, or a name taken twice, is an error that names it. */
export async function readTemplates(folder = TEMPLATES_FOLDER): Promise<readonly Template[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const templates = await Promise.all(names.sort().map((name) => readTemplate(folder, name)));
  refuseSharedNames(templates);
  return templates;
}

/** The template of a `lang`, by name or alias; what follows `@` in `node24@ref` is not part of the name. */
export function findTemplate(templates: readonly Template[], lang: string): Template | undefined {
  const [name = ""] = lang.split("@");
  return templates.find((one) => one.name === name || one.aliases.includes(name));
}

/** Every `lang` that means one of the templates, for people: `bash, node24, node18`. */
export function describeLangs(templates: readonly Template[]): string {
  return templates.flatMap(({ name, aliases }) => [name, ...aliases]).join(", ");
}

async function readTemplate(parent: string, name: string): Promise<Template> {
  const folder = join(parent, name);
  const files = await readFiles(folder);
  const { fprocess, handler_folder, host } = readTemplateYml(files, folder);
  return {
    name,
    aliases: host?.aliases ?? [],
    folder,
    handlerFolder: handler_folder,
    ...(fprocess ? { fprocess } : {}),
    ...(host ? { host: { command: host.command, install: host.install, env: host.env } } : {}),
    digest: digestOf(files),
    files,
  };
}

function readTemplateYml(
  files: readonly TemplateFile[],
  folder: string,
): z.infer<typeof TemplateYml> {
  const file = files.find(({ path }) => path === "template.yml");
  if (file === undefined) throw new Error(`Template ${folder} has no template.yml.`);
  return parseTemplateYml(file.content.toString(), join(folder, "template.yml"));
}

/** Read a `template.yml`; throws TemplateError that names the file and what is wrong with it. */
export function parseTemplateYml(text: string, path: string): z.infer<typeof TemplateYml> {
  const result = TemplateYml.safeParse(toPlain(text, path));
  if (result.success) return result.data;
  throw new TemplateError(`${path} is not usable: ${z.prettifyError(result.error)}`);
}

/** Every scalar stays the text it was written as, as faas-cli reads it. */
function toPlain(text: string, path: string): unknown {
  if (text.length > LIMIT_CHARACTERS)
    throw new TemplateError(`${path} has more than ${LIMIT_CHARACTERS} characters.`);
  try {
    const document = parseDocument(text, { schema: "failsafe", logLevel: "error" });
    const [problem] = [...document.errors, ...document.warnings];
    if (problem !== undefined) throw problem;
    return document.toJS();
  } catch (error) {
    throw new TemplateError(`${path} is not readable YAML: ${describe(error)}`, { cause: error });
  }
}

async function readFiles(folder: string): Promise<readonly TemplateFile[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => readTemplateFile(folder, join(entry.parentPath, entry.name)));
  return (await Promise.all(files)).sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function readTemplateFile(folder: string, path: string): Promise<TemplateFile> {
  const [{ mode }, content] = await Promise.all([stat(path), readFile(path)]);
  return {
    path: path.slice(folder.length + 1),
    mode: mode & 0o100 ? 0o755 : 0o644,
    content,
  };
}

function digestOf(files: readonly TemplateFile[]): string {
  const digest = createHash("sha256");
  for (const { path, mode, content } of files) {
    digest.update(`${mode.toString(8)} ${content.length} ${path}\0`).update(content);
  }
  return digest.digest("hex");
}

function refuseSharedNames(templates: readonly Template[]): void {
  const owners = new Map<string, string>();
  for (const { name, aliases } of templates) {
    for (const one of [name, ...aliases]) {
      const other = owners.get(one);
      if (other !== undefined)
        throw new Error(`"${one}" names two templates, ${other} and ${name}; keep it in one.`);
      owners.set(one, name);
    }
  }
}
