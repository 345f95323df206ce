import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { HttpError } from "#sdk/errors.ts";
import { findProgram } from "#sdk/find-program.ts";
import type { InstallTools } from "./install.ts";
import { readText } from "./npm-manifest.ts";
import { runProgram } from "./run-program.ts";

/** Options of pip that a requirements.txt may hold; others would name paths, indexes or builds. */
const REQUIREMENT = /^(#.*|[A-Za-z0-9][\w.-]*\s*(\[[\w\s,.-]*\])?\s*([^@/\\:]*)(;.*)?)?$/;

/** Install requirements.txt of a handler into `python/` of `root`, which the template's server adds. */
export async function installPip(folder: string, root: string, tools: InstallTools): Promise<void> {
  const text = await readText(folder, "requirements.txt");
  if (text === undefined || readRequirements(text).length === 0) return;
  const python = findProgram("python3", tools.env.PATH ?? "");
  if (python === undefined)
    throw new HttpError(422, "no-python", "This machine has no python3 on its PATH; install it.");
  const target = join(root, "python");
  await mkdir(join(tools.cacheFolder, "pip"), { recursive: true });
  tools.tell("pip install -r requirements.txt");
  const args = ["-m", "pip", "install", "-r", "requirements.txt", "--target", target];
  const code = await runProgram(
    {
      file: python,
      args: [...args, ...options(tools)],
      cwd: folder,
      env: { ...tools.env, PIP_CONFIG_FILE: "/dev/null", PIP_ROOT_USER_ACTION: "ignore" },
    },
    tools.tell,
    tools.signal,
  );
  if (code !== 0)
    throw new HttpError(422, "install-failed", `pip install ended with exit code ${code}.`);
}

/** Lines that name a package. Throws 422 for options, paths and URLs. */
export function readRequirements(text: string): string[] {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  for (const line of lines) {
    if (!REQUIREMENT.test(line.replace(/\s+#.*$/, "")))
      throw new HttpError(
        422,
        "bad-manifest",
        `requirements.txt: ${JSON.stringify(line.slice(0, 200))} is not a package with a version; options, paths and URLs are not taken.`,
      );
  }
  return lines.filter((line) => line !== "" && !line.startsWith("#"));
}

function options({ cacheFolder, settings }: InstallTools): string[] {
  return [
    "--disable-pip-version-check",
    "--no-input",
    "--no-compile",
    "--progress-bar=off",
    "--no-warn-script-location",
    `--cache-dir=${join(cacheFolder, "pip")}`,
    ...(settings.lifecycleScripts ? [] : ["--only-binary=:all:"]),
    ...(settings.pipIndexUrl === undefined ? [] : [`--index-url=${settings.pipIndexUrl}`]),
  ];
}
