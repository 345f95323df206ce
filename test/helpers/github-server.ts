import { generateKeyPairSync } from "node:crypto";
import type { ExecutionContext } from "ava";
import { serve } from "#sdk/serve.ts";

type ShownStatus = {
  readonly context: string;
  readonly state: string;
  readonly description: string;
  readonly target_url: string;
};

type ShownCheckRun = {
  readonly id: number;
  readonly name: string;
  readonly app: { readonly id: number };
  readonly status: string;
  readonly conclusion?: string;
  readonly details_url: string;
  readonly external_id?: string;
  readonly output: { readonly title: string; readonly summary: string; readonly text?: string };
};

/** How the next write is answered: a status with headers, or not at all. */
type Fault =
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  | "hang";

export type GithubServer = {
  readonly url: string;
  /** PKCS#1, as GitHub hands keys out. */
  readonly privateKey: string;
  readonly appId: string;
  /** Newest last. */
  readonly statuses: ShownStatus[];
  readonly checkRuns: ShownCheckRun[];
  /** Taken from the front by writes. */
  readonly faults: Fault[];
  /** `POST /path` of every request, in order. */
  readonly requests: string[];
  /** Headers of the last request that was not for a token. */
  lastHeaders: Headers;
  /** Called while a write is being answered. */
  onWrite: () => Promise<void> | void;
};

const { privateKey } = generateKeyPairSync("rsa", {
  modulusLength: 2_048,
  privateKeyEncoding: { type: "pkcs1", format: "pem" },
  publicKeyEncoding: { type: "pkcs1", format: "pem" },
});

/** A server on a port of its own that answers GitHub's status and check run calls, and can fail on demand. */
export async function startGithubServer(t: ExecutionContext): Promise<GithubServer> {
  const github: GithubServer = {
    url: "",
    privateKey,
    appId: "42",
    statuses: [],
    checkRuns: [],
    faults: [],
    requests: [],
    lastHeaders: new Headers(),
    onWrite: () => {},
  };
  const served = await serve(answer, { port: 0, hostname: "127.0.0.1" });
  t.teardown(() => served.close(0));
  return Object.assign(github, { url: served.url });

  async function answer(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    github.requests.push(`${request.method} ${pathname}`);
    if (pathname.endsWith("/access_tokens")) return token();
    github.lastHeaders = request.headers;
    if (request.headers.get("authorization") !== "token ghs_installation")
      return Response.json({ message: "Bad credentials" }, { status: 401 });
    if (request.method === "GET") return read(pathname, searchParams);
    await github.onWrite();
    const fault = github.faults.shift();
    if (fault === "hang") return new Promise(() => {});
    if (fault !== undefined)
      return Response.json(
        { message: `fault ${fault.status}` },
        { status: fault.status, headers: fault.headers ?? {} },
      );
    return write(request.method, pathname, await request.json());
  }

  function read(pathname: string, query: URLSearchParams): Response {
    if (pathname.endsWith("/status")) {
      const newest = new Map(github.statuses.map((status) => [status.context, status]));
      return Response.json({ statuses: [...newest.values()] });
    }
    const wanted = query.get("check_name");
    const runs = github.checkRuns.filter(({ name }) => wanted === null || name === wanted);
    return Response.json({ total_count: runs.length, check_runs: runs });
  }

  function write(method: string, pathname: string, body: unknown): Response {
    if (pathname.includes("/statuses/")) {
      github.statuses.push(body as ShownStatus);
      return Response.json(body, { status: 201 });
    }
    const id =
      method === "PATCH" ? Number(pathname.split("/").at(-1)) : github.checkRuns.length + 1;
    const run = { ...(body as ShownCheckRun), id, app: { id: 42 } };
    github.checkRuns[id - 1] = run;
    return Response.json(run, { status: method === "PATCH" ? 200 : 201 });
  }

  function token(): Response {
    const expires_at = new Date(Date.now() + 3_600_000).toISOString();
    return Response.json(
      { token: "ghs_installation", expires_at, permissions: {} },
      { status: 201 },
    );
  }
}
