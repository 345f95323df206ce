import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { access, copyFile, mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { hasProgram } from "./has-program.ts";

const run = promisify(execFile);

/** Longest time of a first build, its downloads included, for `t.timeout`. */
export const GO_BUILD_MS = 15 * 60_000;

/** A program of another house, of exactly this version. */
export type GoProgram = {
  readonly name: string;
  /** Import path of the program, or of the package that `main` is written against. */
  readonly package: string;
  readonly version: string;
  /** A Go file of ours around the package. */
  readonly main?: string;
};

/** Why no Go program can be built here; `undefined` where it can. Tests skip with one line that says it. */
export const goMissing: string | undefined = hasProgram("go")
  ? undefined
  : "go is not on the PATH (https://go.dev/dl)";

/**
 * The path of the program, built by `go` at its first use and kept in the user's cache folder for all later
 * runs. Rejects with what `go` said.
 */
export async function buildGoProgram(program: GoProgram): Promise<string> {
  const { name, version, main } = program;
  const source = main === undefined ? "" : `-${hashOf(await readFile(main))}`;
  const path = join(cacheFolder(), `${name}-${version}${source}`, name);
  if (await isThere(path)) return path;

  const folder = await mkdtemp(join(tmpdir(), "ofc-go-"));
  try {
    say(`${name} ${version} is built once, for ${path}; it can take minutes`);
    const startedAt = Date.now();
    const built = await build(program, folder);
    await mkdir(dirname(path), { recursive: true });
    // Into its place at once: a half one would be used for good.
    const half = join(dirname(path), `${name}.${process.pid}`);
    await copyFile(built, half);
    await rename(half, path);
    say(`${name} is built, in ${Math.round((Date.now() - startedAt) / 1_000)} s`);
    return path;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** In a module of its own: `go install` refuses what replaces its dependencies. */
async function build(
  { name, package: target, version, main }: GoProgram,
  folder: string,
): Promise<string> {
  // Of Go alone: gVisor starts itself once more where no C library is to be found.
  const env = { ...process.env, CGO_ENABLED: "0" };
  const options = { cwd: folder, env, timeout: GO_BUILD_MS, maxBuffer: 64 * 1024 * 1024 };
  await run("go", ["mod", "init", "peer"], options);
  await run("go", ["get", `${target}@${version}`], options);
  if (main !== undefined) await copyFile(main, join(folder, "main.go"));
  await run("go", ["build", "-o", name, main === undefined ? target : "."], options);
  return join(folder, name);
}

function cacheFolder(): string {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return join(cache, "openfaas-cloud-peers");
}

function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex").slice(0, 8);
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function say(text: string): void {
  process.stderr.write(`peers: ${text}\n`);
}
