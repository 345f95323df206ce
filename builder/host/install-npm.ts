import { createHash } from "node:crypto";
import { mkdir, realpath, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { HttpError } from "#sdk/errors.ts";
import { findProgram } from "#sdk/find-program.ts";
import type { InstallTools } from "./install.ts";
import { createInstalledPackages } from "./installed-packages.ts";
import { type NpmPlan, planNpm, readText } from "./npm-manifest.ts";
import { filterNpmrc } from "./npmrc.ts";
import { runProgram } from "./run-program.ts";

type Install = Extract<NpmPlan, { install: true }>;

/** Install a handler's packages into its `node_modules`; starts nothing when there are none. */
export async function installNpm(folder: string, tools: InstallTools): Promise<void> {
  const plan = await planNpm(folder);
  if (plan.install) await installPlanned(folder, plan, tools);
  // It may hold a registry's token, and nothing after npm reads it.
  await rm(join(folder, ".npmrc"), { force: true });
}

async function installPlanned(folder: string, plan: Install, tools: InstallTools): Promise<void> {
  const modules = join(folder, "node_modules");
  // Installed packages come from the registry, never from the context.
  await rm(modules, { recursive: true, force: true });
  const packages = createInstalledPackages(join(tools.cacheFolder, "installed"));
  const key = plan.repeatable ? keyOf(plan, tools) : undefined;
  if (key !== undefined && (await packages.restore(key, modules)))
    return tools.tell("npm ci: the same packages as before");

  await runNpm(folder, plan, tools);
  if (key !== undefined && (await stat(modules).catch(() => undefined)) !== undefined)
    await packages.keep(key, modules);
}

async function runNpm(folder: string, plan: Install, tools: InstallTools): Promise<void> {
  const npm = await findNpm(tools);
  await replaceNpmrc(folder, tools);
  const cache = join(tools.cacheFolder, "npm");
  await mkdir(cache, { recursive: true });
  tools.tell(`npm ${plan.command}`);
  const program = {
    file: npm.file,
    args: [...npm.args, plan.command, ...options(cache, tools)],
    cwd: folder,
    env: tools.env,
  };
  const code = await runProgram(program, tools.tell, tools.signal);
  if (code !== 0)
    throw new HttpError(422, "install-failed", `npm ${plan.command} ended with exit code ${code}.`);
}

/** Everything that decides what `npm ci` puts there. */
function keyOf({ inputs }: Install, { settings }: InstallTools): string {
  const { lifecycleScripts, npmRegistry = "" } = settings;
  const { version, platform, arch } = process;
  const facts = [...inputs, lifecycleScripts, npmRegistry, version, platform, arch];
  return createHash("sha256").update(JSON.stringify(facts)).digest("hex");
}

/** Command line wins over what a project's .npmrc says. */
function options(cache: string, { settings }: InstallTools): string[] {
  return [
    ...(settings.lifecycleScripts ? [] : ["--ignore-scripts"]),
    ...(settings.npmRegistry === undefined ? [] : [`--registry=${settings.npmRegistry}`]),
    "--omit=dev",
    "--no-audit",
    "--no-fund",
    "--no-update-notifier",
    "--no-progress",
    "--color=false",
    "--install-links=false",
    "--location=project",
    "--git=git",
    "--script-shell=/bin/sh",
    `--cache=${cache}`,
    `--logs-dir=${join(cache, "logs")}`,
    "--logs-max=0",
  ];
}

/** npm as a script of the Node that runs the platform, so that both agree on what they install for. */
async function findNpm({ env }: InstallTools): Promise<{ file: string; args: string[] }> {
  const found = findProgram("npm", env.PATH ?? "");
  if (found === undefined)
    throw new HttpError(
      422,
      "no-npm",
      "This machine has no npm on its PATH; install Node with npm.",
    );
  const script = await realpath(found);
  return script.endsWith(".js")
    ? { file: process.execPath, args: [script] }
    : { file: found, args: [] };
}

async function replaceNpmrc(folder: string, { tell }: InstallTools): Promise<void> {
  const given = await readText(folder, ".npmrc");
  if (given === undefined) return;
  const { text, dropped } = filterNpmrc(given);
  for (const name of dropped) tell(`.npmrc: "${name}" has no effect in this builder`);
  await rm(join(folder, ".npmrc"));
  await writeFile(join(folder, ".npmrc"), text, { mode: 0o600, flag: "wx" });
}
