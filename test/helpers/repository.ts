import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export type Files = Readonly<Record<string, string>>;

type PushOutcome = { readonly ok: boolean; readonly output: string; readonly ms: number };

export type TestRepository = {
  readonly folder: string;
  /** Write files, commit everything, answer the commit's id. */
  commit(files: Files, message?: string): Promise<string>;
  git(...args: string[]): Promise<string>;
  /** Push to a URL (with its token) and wait for the end. */
  push(url: string, ...refspecs: string[]): Promise<PushOutcome>;
};

const IDENTITY = [
  "-c",
  "user.name=Test",
  "-c",
  "user.email=test@localhost",
  "-c",
  "commit.gpgsign=false",
];

/** A real Git repository in a folder of its own, on branch `main`. */
export async function makeRepository(): Promise<TestRepository> {
  const folder = await mkdtemp(join(tmpdir(), "ofc-repository-"));
  const git = async (...args: string[]) => (await run("git", args, { cwd: folder })).stdout.trim();
  await git("init", "--quiet", "--initial-branch=main");

  return {
    folder,
    git,
    async commit(files, message = "a change") {
      for (const [path, content] of Object.entries(files)) {
        await mkdir(dirname(join(folder, path)), { recursive: true });
        await writeFile(join(folder, path), content);
      }
      await git("add", "--all");
      await git(...IDENTITY, "commit", "--quiet", "--allow-empty", "--message", message);
      return git("rev-parse", "HEAD");
    },
    push: (url, ...refspecs) => push(folder, url, refspecs.length > 0 ? refspecs : ["main"]),
  };
}

async function push(
  folder: string,
  url: string,
  refspecs: readonly string[],
): Promise<PushOutcome> {
  const started = performance.now();
  const child = spawn("git", ["push", "--no-progress", url, ...refspecs], {
    cwd: folder,
    env: { ...process.env, GIT_TERMINAL_PROMPT: "0" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => (output += chunk));
  const [code] = await once(child, "close");
  return { ok: code === 0, output, ms: performance.now() - started };
}

export async function removeRepository({ folder }: TestRepository): Promise<void> {
  await rm(folder, { recursive: true, force: true });
}

/** A stack.yml of functions, each `lang` by name. */
export function stackOf(
  functions: Readonly<Record<string, { readonly lang: string; readonly extra?: string }>>,
): string {
  const entries = Object.entries(functions).map(
    ([name, { lang, extra }]) =>
      `  ${name}:\n    lang: ${lang}\n    handler: ./${name}\n    image: ${name}:latest\n${extra ?? ""}`,
  );
  return `version: 1.0\nprovider:\n  name: openfaas\n  gateway: http://127.0.0.1:8080\nfunctions:\n${entries.join("")}`;
}

/** A node24 handler that answers a text. */
export function answering(text: string): string {
  return `module.exports = async (event, context) => context.status(200).succeed(${JSON.stringify(text)});\n`;
}
