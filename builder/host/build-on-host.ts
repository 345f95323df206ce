import { mkdir, rename, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parse } from "yaml";
import { errorCode, HttpError } from "#sdk/errors.ts";
import type { BuildConfig } from "#sdk/messages.ts";
import { describeLangs, findTemplate, type HostBuild, type Template } from "#sdk/templates.ts";
import type { ArtifactManifest, ArtifactStore, StoredArtifact } from "./artifact-store.ts";
import { type InstallTools, install } from "./install.ts";
import { readText } from "./npm-manifest.ts";

export type HostBuildTools = InstallTools & {
  readonly templates: readonly Template[];
  readonly artifacts: ArtifactStore;
};

type HostTemplate = Template & { readonly host: HostBuild };

/** Files of a template that only a container build reads. */
const CONTAINER_FILES: ReadonlySet<string> = new Set([
  "Dockerfile",
  ".dockerignore",
  "template.yml",
  "meta.json",
]);

/**
 * Turn an unpacked context (`<work>/context`) into an artefact. Only the handler folder comes from the
 * context; all around it is the template as this machine has it. Rejects with 422 for what the owner can mend.
 */
export async function buildOnHost(
  work: string,
  config: BuildConfig,
  tools: HostBuildTools,
): Promise<StoredArtifact> {
  const template = await pickTemplate(join(work, "context"), config, tools.templates);
  const artifact = join(work, "artifact");
  const root = join(artifact, "root");
  await layOut(join(work, "context", template.handlerFolder), root, template);
  await install(root, template, tools);
  tools.signal.throwIfAborted();
  await writeFile(join(artifact, "artifact.json"), formatManifest(template));
  return tools.artifacts.keep(artifact, tools.settings.maxArtifactBytes);
}

async function pickTemplate(
  context: string,
  { lang }: BuildConfig,
  templates: readonly Template[],
): Promise<HostTemplate> {
  // faas-cli names no lang, but its context holds the template's own file.
  const wanted = lang ?? (await readLanguage(context));
  if (wanted === undefined || /^dockerfile$/i.test(wanted))
    throw new HttpError(
      422,
      "needs-container-engine",
      "This machine builds without containers, from templates only: a Dockerfile needs an engine with BuildKit.",
    );
  const template = findTemplate(templates, wanted);
  if (template?.host === undefined)
    throw new HttpError(
      422,
      "unknown-template",
      `lang "${wanted}" is no template of this machine; it builds ${describeLangs(templates)}.`,
    );
  return { ...template, host: template.host };
}

async function readLanguage(context: string): Promise<string | undefined> {
  const text = await readText(context, "template.yml");
  const value: unknown =
    text === undefined ? undefined : parse(text, { schema: "failsafe", logLevel: "error" });
  const language =
    typeof value === "object" && value !== null && "language" in value ? value.language : undefined;
  return typeof language === "string" ? language : undefined;
}

async function layOut(handler: string, root: string, template: HostTemplate): Promise<void> {
  await refuseMissing(handler, template.handlerFolder);
  await mkdir(root, { recursive: true });
  const inside = `${template.handlerFolder}/`;
  const around = template.files.filter(
    ({ path }) => !path.startsWith(inside) && !CONTAINER_FILES.has(path),
  );
  await Promise.all(
    around.map(async ({ path, mode, content }) => {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), content, { mode });
    }),
  );
  await rename(handler, join(root, template.handlerFolder));
}

async function refuseMissing(handler: string, name: string): Promise<void> {
  const found = await stat(handler).catch((error: unknown) => {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  });
  if (!found?.isDirectory())
    throw new HttpError(422, "no-handler", `The build context has no folder ${name}/.`);
}

function formatManifest({ name, host }: HostTemplate): string {
  const manifest: ArtifactManifest = { v: 1, command: host.command, lang: name, env: host.env };
  return `${JSON.stringify(manifest)}\n`;
}
