import { type ChildProcessWithoutNullStreams, execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { start, stop } from "#sdk/listen.ts";

const run = promisify(execFile);

export type GitServer = {
  /** `http://127.0.0.1:<port>`. */
  readonly origin: string;
  readonly cloneUrl: string;
  /** What git asked for, in order. */
  readonly requests: string[];
  /** Write files (`null` deletes, `{ link }` links) and commit them on a branch; the commit's id. */
  commit(files: Files, branch?: string): Promise<string>;
  /** Run git in the served repository's work tree. */
  git(...args: string[]): Promise<string>;
  /** Answer every request by this instead of git; `undefined` ends it. */
  answerWith(
    handler: ((request: IncomingMessage, response: ServerResponse) => void) | undefined,
  ): void;
  close(): Promise<void>;
};

export type Files = Readonly<
  Record<string, string | Buffer | null | { readonly link: string } | { readonly script: string }>
>;

export type GitServerOptions = {
  /** The test's own: PATH is taken from it. */
  readonly environment: NodeJS.ProcessEnv;
  /** Basic auth that every request needs. */
  readonly login?: { readonly username: string; readonly password: string };
};

/** A repository in a temporary folder, served by `git http-backend`. */
export async function startGitServer(options: GitServerOptions): Promise<GitServer> {
  const { environment, login } = options;
  const folder = await mkdtemp(join(tmpdir(), "git-server-"));
  const work = join(folder, "shop");
  const requests: string[] = [];
  let instead: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;
  await run("git", ["init", "--quiet", "--initial-branch=main", "--template=", work]);

  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    if (instead !== undefined) return instead(request, response);
    if (login !== undefined && request.headers.authorization !== basic(login)) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="test"' }).end();
      return;
    }
    answer(environment.PATH ?? "", folder, request, response);
  });
  const origin = await start(server, { port: 0, hostname: "127.0.0.1" });

  async function git(...args: string[]): Promise<string> {
    const env = {
      ...environment,
      ...AUTHOR,
      GIT_CONFIG_GLOBAL: "/dev/null",
      GIT_CONFIG_NOSYSTEM: "1",
    };
    const { stdout } = await run("git", ["-c", "protocol.file.allow=always", ...args], {
      cwd: work,
      env,
    });
    return stdout.trim();
  }

  return {
    origin,
    cloneUrl: `${origin}/shop/.git`,
    requests,
    git,
    async commit(files, branch = "main") {
      if ((await git("branch", "--show-current")) !== branch)
        await git("checkout", "-q", "-B", branch);
      await Promise.all(
        Object.entries(files).map(([path, content]) => put(join(work, path), content)),
      );
      await git("add", "--all", "--force");
      await git("commit", "--quiet", "--allow-empty", "--message", "change");
      return git("rev-parse", "HEAD");
    },
    answerWith(handler) {
      instead = handler;
    },
    async close() {
      await stop(server, 0);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const AUTHOR = {
  GIT_AUTHOR_NAME: "alice",
  GIT_AUTHOR_EMAIL: "alice@example.com",
  GIT_COMMITTER_NAME: "alice",
  GIT_COMMITTER_EMAIL: "alice@example.com",
};

function basic({ username, password }: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

async function put(path: string, content: Files[string]): Promise<void> {
  await rm(path, { recursive: true, force: true });
  if (content === null || content === undefined) return;
  await mkdir(dirname(path), { recursive: true });
  if (typeof content === "string" || Buffer.isBuffer(content)) return writeFile(path, content);
  if ("link" in content) return symlink(content.link, path);
  return writeFile(path, content.script, { mode: 0o755 });
}

/** CGI as git-http-backend speaks it. */
function answer(
  path: string,
  folder: string,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const url = new URL(request.url ?? "/", "http://localhost");
  const { headers } = request;
  const backend = spawn("git", ["http-backend"], {
    env: {
      PATH: path,
      GIT_PROJECT_ROOT: folder,
      GIT_HTTP_EXPORT_ALL: "1",
      GIT_CONFIG_GLOBAL: "/dev/null",
      GIT_CONFIG_COUNT: "1",
      GIT_CONFIG_KEY_0: "safe.directory",
      GIT_CONFIG_VALUE_0: "*",
      PATH_INFO: decodeURIComponent(url.pathname),
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method ?? "GET",
      CONTENT_TYPE: headers["content-type"] ?? "",
      HTTP_CONTENT_ENCODING: headers["content-encoding"] ?? "",
      GIT_PROTOCOL: String(headers["git-protocol"] ?? ""),
      REMOTE_USER: "alice",
    },
  });
  // A client that gives up takes its backend with it.
  response.once("close", () => {
    backend.stdout.destroy();
    backend.kill();
  });
  request.pipe(backend.stdin);
  backend.stdin.on("error", () => {});
  passOn(backend, response);
}

function passOn(backend: ChildProcessWithoutNullStreams, response: ServerResponse): void {
  let head = Buffer.alloc(0);
  backend.stdout.on("data", function read(chunk: Buffer) {
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf("\r\n\r\n");
    if (end < 0) return;
    backend.stdout.off("data", read);
    for (const line of head.toString("latin1", 0, end).split("\r\n")) {
      const [name = "", value = ""] = line.split(/:\s*/, 2);
      if (name.toLowerCase() === "status") response.statusCode = Number(value.slice(0, 3));
      else response.setHeader(name, value);
    }
    response.write(head.subarray(end + 4));
    backend.stdout.pipe(response);
  });
  backend.once("error", () => response.writeHead(500).end());
}
