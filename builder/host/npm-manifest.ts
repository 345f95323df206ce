import { readFile, stat } from "node:fs/promises";
import { join, posix } from "node:path";
import { z } from "zod";
import { errorCode, HttpError } from "#sdk/errors.ts";

/** Largest package.json, lockfile or .npmrc that is read, in bytes. */
const MANIFEST_LIMIT_BYTES = 8 * 1024 * 1024;

const Specs = z.record(z.string(), z.string()).default({});
const Manifest = z.looseObject({
  dependencies: Specs,
  optionalDependencies: Specs,
  devDependencies: Specs,
  peerDependencies: Specs,
});
const Lockfile = z.looseObject({
  packages: z.record(z.string(), z.looseObject({ resolved: z.string().optional() })).default({}),
  dependencies: z.record(z.string(), z.looseObject({ version: z.string().optional() })).default({}),
});

/** What npm has to do in a handler's folder. */
export type NpmPlan =
  | { readonly install: false }
  | {
      readonly install: true;
      readonly command: "ci" | "install";
      /** Manifest, lockfile and settings: what the installed packages depend on. */
      readonly inputs: readonly string[];
      /** False when packages come from the context itself. */
      readonly repeatable: boolean;
    };

/**
 * Read package.json and its lockfile. Throws 422 when one is not usable, or names a package by a path
 * or address through which npm would read files of this machine.
 */
export async function planNpm(folder: string): Promise<NpmPlan> {
  const manifestText = await readText(folder, "package.json");
  if (manifestText === undefined) return { install: false };
  const manifest = parse("package.json", manifestText, Manifest);
  const lock = await readLock(folder);
  const specs = [
    manifest.dependencies,
    manifest.optionalDependencies,
    manifest.devDependencies,
    manifest.peerDependencies,
  ].flatMap((one) => Object.entries(one));
  for (const [name, spec] of specs) refuseSpec("package.json", name, spec);
  if (Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies }).length === 0)
    return { install: false };
  return {
    install: true,
    command: lock === undefined ? "install" : "ci",
    inputs: [manifestText, lock ?? "", (await readText(folder, ".npmrc")) ?? ""],
    repeatable: lock !== undefined && !/"(file:|link:|workspaces")/.test(manifestText + lock),
  };
}

async function readLock(folder: string): Promise<string | undefined> {
  for (const name of ["npm-shrinkwrap.json", "package-lock.json"]) {
    const text = await readText(folder, name);
    if (text === undefined) continue;
    const { packages, dependencies } = parse(name, text, Lockfile);
    for (const [one, { resolved = "" }] of Object.entries(packages))
      refuseSpec(name, one, resolved);
    for (const [one, { version = "" }] of Object.entries(dependencies))
      refuseSpec(name, one, version);
    return text;
  }
  return undefined;
}

/** Text of a file in `folder`; `undefined` when it is not there. */
export async function readText(folder: string, name: string): Promise<string | undefined> {
  const path = join(folder, name);
  const found = await stat(path).catch((error: unknown) => {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  });
  if (found === undefined) return undefined;
  if (!found.isFile() || found.size > MANIFEST_LIMIT_BYTES)
    throw refuse(name, `must be a file of at most ${MANIFEST_LIMIT_BYTES} bytes`);
  return readFile(path, "utf8");
}

function parse<T>(name: string, text: string, shape: z.ZodType<T>): T {
  const result = shape.safeParse(parseJson(name, text));
  if (!result.success) throw refuse(name, `is not usable: ${z.prettifyError(result.error)}`);
  return result.data;
}

function parseJson(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw refuse(name, `is not JSON: ${error instanceof Error ? error.message : "unreadable"}`);
  }
}

function refuseSpec(file: string, name: string, spec: string): void {
  const local = /^(?:npm:.*@)?(?:file|link|workspace|portal):(.*)$/i.exec(spec)?.[1] ?? bare(spec);
  if (local !== undefined && leaves(local))
    throw refuse(file, `takes "${name}" from "${spec}", outside the function's folder`);
  if (/^git\+(file|ssh)|^ssh:|^git:|^https?:.*@/i.test(spec))
    throw refuse(
      file,
      `takes "${name}" over "${spec.split(":")[0]}"; use https without a password`,
    );
}

/** A spec that npm takes as a path without saying so. */
function bare(spec: string): string | undefined {
  return /^(\.{0,2}\/|~\/|\.\.?$|[A-Za-z]:[\\/])/.test(spec) ? spec : undefined;
}

function leaves(path: string): boolean {
  const clean = posix.normalize(decodeURIComponentSafely(path).replaceAll("\\", "/"));
  return /^([/~]|\.\.(\/|$)|[A-Za-z]:)/.test(clean);
}

function decodeURIComponentSafely(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Not encoded, then: npm would take it as it is too.
    return text;
  }
}

function refuse(file: string, why: string): HttpError {
  return new HttpError(422, "bad-manifest", `${file} ${why}.`);
}
