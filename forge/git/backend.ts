import { type ChildProcess, spawn } from "node:child_process";
import { Duplex, type Readable, type Writable } from "node:stream";
import { errorCode, HttpError } from "#sdk/errors.ts";
import { yieldCpu } from "#sdk/yield-cpu.ts";
import type { Git } from "./git.ts";

/** One request for `git http-backend`. */
export type BackendCall = {
  /** Folder of all repositories. */
  readonly root: string;
  /** `/7.git/info/refs`. */
  readonly path: string;
  readonly request: Request;
  readonly user: string;
  /** Longest silence of the client, in milliseconds. */
  readonly idleMs: number;
  /** Longest body of the request, in bytes. */
  readonly limitBytes: number;
  /** Longest life of the process, in milliseconds. */
  readonly limitMs: number;
  /** Descriptor 3 of the hook: it writes the refs that moved and reads what the pusher shall see. */
  readonly onChannel?: (channel: Duplex) => void;
  /** The client went away, or its body is complete and the answer was read. */
  readonly onGone?: () => void;
  /** Called once, when the process has ended. */
  readonly onEnd: () => void;
  /** Ends the process and what it started. */
  readonly signal: AbortSignal;
};

/** Longest header block that a CGI answer may begin with, in bytes. */
const HEAD_LIMIT = 16 * 1024;
/** Source: gitprotocol-common(5), pkt-line. */
const FLUSH = "0000";

/** Run git's CGI program and answer with what it says; bodies stream both ways. */
export async function callBackend(git: Git, call: BackendCall): Promise<Response> {
  const child = spawn(git.backend.file, [...git.backend.args], {
    env: { ...git.environment, ...cgiVariables(call) },
    stdio: ["pipe", "pipe", "pipe", call.onChannel === undefined ? "ignore" : "pipe"],
    // A group of its own, so that a stuck transfer ends with everything it started.
    detached: true,
  });
  yieldCpu(child.pid);
  const { stdin, stdout, stderr } = child;
  const channel = child.stdio[3];
  if (stdin === null || stdout === null || stderr === null) throw new Error("git has no pipes.");
  if (channel instanceof Duplex) call.onChannel?.(channel);

  const end = () => endGroup(child);
  call.signal.addEventListener("abort", end);
  const limit = setTimeout(end, call.limitMs);
  const fed = feed(call, stdin, end);
  const ended = new Promise<number | null>((resolve) => {
    child.once("error", () => resolve(null));
    child.once("exit", (code) => resolve(code));
  }).then((code) => {
    clearTimeout(limit);
    fed.stop();
    call.signal.removeEventListener("abort", end);
    call.onEnd();
    return code;
  });
  const complaint = collectTail(stderr);

  try {
    const head = await readHead(stdout);
    return new Response(stream(stdout, { leave, isWhole }), head);
  } catch (error) {
    end();
    await ended;
    throw new HttpError(500, "git-failed", "git gave no answer; see the platform's log.", {
      cause: new Error(complaint(), { cause: error }),
    });
  }

  /** A push whose body is complete goes on without its client; anything else ends. */
  function leave(): void {
    call.onGone?.();
    if (call.onChannel === undefined || !fed.complete) end();
  }

  /**
   * A push whose git died in the middle is broken off: git clients wait for ever on one that ends as if it were
   * whole. Where only the CGI program was killed, receive-pack went on to its closing flush packet.
   */
  async function isWhole(last: string): Promise<boolean> {
    const code = await ended;
    return call.onChannel === undefined || code === 0 || (code === null && last === FLUSH);
  }
}

/** Source: RFC 3875 and git-http-backend(1). */
function cgiVariables({ root, path, request, user }: BackendCall): Record<string, string> {
  const { headers, method, url } = request;
  const given: Record<string, string | null> = {
    CONTENT_TYPE: headers.get("content-type"),
    CONTENT_LENGTH: headers.get("content-length"),
    HTTP_CONTENT_ENCODING: headers.get("content-encoding"),
    GIT_PROTOCOL: parseProtocol(headers.get("git-protocol")),
  };
  return {
    GIT_PROJECT_ROOT: root,
    GIT_HTTP_EXPORT_ALL: "1",
    PATH_INFO: path,
    QUERY_STRING: new URL(url).searchParams.has("service")
      ? `service=${new URL(url).searchParams.get("service")}`
      : "",
    REQUEST_METHOD: method,
    REMOTE_USER: user,
    REMOTE_ADDR: "127.0.0.1",
    ...Object.fromEntries(
      Object.entries(given).filter((entry): entry is [string, string] => entry[1] !== null),
    ),
  };
}

function parseProtocol(header: string | null): string | null {
  return header !== null && /^version=[0-9](:[a-z0-9=-]{1,50}){0,5}$/.test(header) ? header : null;
}

/** Copy the request's body into git; one that is too long, or silent for too long, ends the transfer. */
function feed(
  { request, idleMs, limitBytes }: BackendCall,
  stdin: Writable,
  end: () => void,
): { readonly complete: boolean; stop(): void } {
  const reader = request.body?.getReader();
  const idle = setTimeout(end, idleMs);
  const state = { complete: false, stop };
  let sizeBytes = 0;
  // git may end before it has read everything; its answer tells why.
  stdin.on("error", () => {});
  copy()
    .catch(end)
    .finally(() => clearTimeout(idle));
  return state;

  async function copy(): Promise<void> {
    for (let next = await reader?.read(); next?.value !== undefined; next = await reader?.read()) {
      idle.refresh();
      sizeBytes += next.value.length;
      if (sizeBytes > limitBytes) return end();
      if (!stdin.write(next.value)) await drained(stdin);
    }
    state.complete = true;
    stdin.end();
  }

  /** git has ended: what the client still sends, or never sends, is nobody's concern. */
  function stop(): void {
    clearTimeout(idle);
    // A client that left has cancelled its body already.
    if (!state.complete) reader?.cancel().catch(() => {});
  }
}

/** Resolves when there is room again, or when nobody reads any more. */
function drained(stdin: Writable): Promise<void> {
  return new Promise((resolve) => {
    if (stdin.destroyed) return resolve();
    const done = () => {
      stdin.off("drain", done);
      stdin.off("close", done);
      resolve();
    };
    stdin.once("drain", done);
    stdin.once("close", done);
  });
}

function collectTail(stderr: Readable): () => string {
  let tail = "";
  stderr.on("data", (chunk: Buffer) => {
    tail = `${tail}${chunk.toString()}`.slice(-2_000);
  });
  return () => tail.trim() || "no word on standard error";
}

/** Read the CGI headers and leave the body in the stream. */
async function readHead(stdout: Readable): Promise<{ status: number; headers: Headers }> {
  let head = Buffer.alloc(0);
  while (true) {
    const chunk = await nextChunk(stdout);
    if (chunk === undefined) throw new Error("git ended before its headers did.");
    head = Buffer.concat([head, chunk]);
    const at = head.indexOf("\r\n\r\n");
    if (at >= 0) {
      stdout.unshift(head.subarray(at + 4));
      return parseHead(head.subarray(0, at).toString("latin1"));
    }
    if (head.length > HEAD_LIMIT) throw new Error("git's headers are too long.");
  }
}

function nextChunk(stdout: Readable): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      stdout.off("data", onData).off("end", onEnd).off("error", onError).pause();
      act();
    };
    const onData = (chunk: Buffer) => settle(() => resolve(chunk));
    const onEnd = () => settle(() => resolve(undefined));
    const onError = (error: Error) => settle(() => reject(error));
    stdout.on("data", onData).on("end", onEnd).on("error", onError).resume();
  });
}

function parseHead(text: string): { status: number; headers: Headers } {
  const headers = new Headers();
  let status = 200;
  for (const line of text.split("\r\n")) {
    const colon = line.indexOf(":");
    const [name, value] = [line.slice(0, colon), line.slice(colon + 1).trim()];
    if (name.toLowerCase() === "status") status = Number.parseInt(value, 10);
    else headers.append(name, value);
  }
  return { status, headers };
}

type BodyTools = {
  /** The client does not want the rest. */
  readonly leave: () => void;
  /** Whether a body that ends with these four characters is all of it. */
  readonly isWhole: (last: string) => Promise<boolean>;
};

/** The body as a web stream with back-pressure. */
function stream(stdout: Readable, { leave, isWhole }: BodyTools): ReadableStream<Uint8Array> {
  let open = true;
  let last = "";
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        stdout.on("data", (chunk: Buffer) => {
          if (!open) return;
          last = `${last}${chunk.subarray(-4).toString("latin1")}`.slice(-4);
          controller.enqueue(chunk);
          if ((controller.desiredSize ?? 0) <= 0) stdout.pause();
        });
        stdout.once("end", async () => {
          const whole = await isWhole(last);
          if (open && whole) controller.close();
          else if (open) controller.error(new Error("git ended in the middle of its answer."));
          open = false;
        });
        stdout.once("error", (error) => {
          if (open) controller.error(error);
          open = false;
        });
      },
      pull() {
        stdout.resume();
      },
      cancel() {
        open = false;
        leave();
        // What git still says must go somewhere, or it would wait for ever.
        stdout.resume();
      },
    },
    { highWaterMark: 1 },
  );
}

function endGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch (error) {
    // The group ended by itself meanwhile.
    if (errorCode(error) !== "ESRCH") throw error;
  }
}
