import { ConfigError, type Env, readEnv } from "#sdk/env.ts";

const MODES = ["fork", "streaming", "serializing", "http", "static"] as const;
type Mode = (typeof MODES)[number];

/** How the watchdog serves, with the names and defaults of spec/openfaas-api.md section 19. */
export type Config = {
  readonly mode: Mode;
  /** Program and arguments; empty in static mode only. */
  readonly command: readonly string[];
  readonly listen:
    | { readonly port: number; readonly hostname: string }
    | { readonly socketPath: string };
  /** Where the child of http mode listens. */
  readonly upstreamUrl: string;
  readonly bufferRequest: boolean;
  readonly staticPath: string;
  readonly readTimeoutMs: number;
  readonly writeTimeoutMs: number;
  /** 0 is no limit. */
  readonly execTimeoutMs: number;
  /** Between turning unhealthy and taking nothing new. */
  readonly healthcheckIntervalMs: number;
  /** 0 is no limit. */
  readonly maxInflight: number;
  readonly readyPath: string;
  /** Keep the lock file that health checks by command look for. */
  readonly lockFile: boolean;
  readonly contentType: string;
  /** Of a forked program, before it is killed. */
  readonly maxOutputBytes: number;
  readonly prefixLogs: boolean;
  /** Longest line in one piece. */
  readonly logBufferBytes: number;
  readonly logCallId: boolean;
  /** fork mode: put the request's facts in the program's environment. */
  readonly cgiHeaders: boolean;
  /** fork mode: standard error is part of the answer. */
  readonly combineOutput: boolean;
  /** fork mode: the answer goes to the log too. */
  readonly writeDebug: boolean;
  /** fork mode: log the request's headers. */
  readonly debugHeaders: boolean;
  /** fork mode: standard input is JSON with headers and body. */
  readonly marshalRequest: boolean;
};

/** Throws one ConfigError that names every variable and argument that cannot be used. */
export function readConfig(env: Env, args: readonly string[]): Config {
  const read = readEnv(env);
  const mode = read.choice("mode", MODES, "streaming");
  const socketPath = readSocketPath(args);
  const writeTimeoutMs = read.milliseconds("write_timeout", "30s");
  const command = splitCommand(env.function_process || env.fprocess || "");
  const upstreamUrl = env.http_upstream_url || env.upstream_url || "";
  const config = read.done<Config>({
    mode,
    command,
    listen:
      socketPath === undefined
        ? { port: read.integer("port", 8080, { max: 65_535 }), hostname: "0.0.0.0" }
        : { socketPath },
    upstreamUrl,
    bufferRequest: readBoolean("http_buffer_req_body") || readBoolean("buffer_http"),
    staticPath: read.text("static_path", "/home/app/public"),
    readTimeoutMs: read.milliseconds("read_timeout", "30s"),
    writeTimeoutMs,
    execTimeoutMs: read.milliseconds("exec_timeout", mode === "fork" ? "0" : "30s"),
    // Whoever gives a socket stops routing to it before sending SIGTERM.
    healthcheckIntervalMs: read.milliseconds(
      "healthcheck_interval",
      socketPath === undefined ? `${writeTimeoutMs}ms` : "0",
    ),
    maxInflight: read.integer("max_inflight", 0),
    readyPath: read.text("ready_path", ""),
    // Sockets of many replicas share one temporary folder.
    lockFile: socketPath === undefined && !readBoolean("suppress_lock"),
    contentType: read.text("content_type", mode === "fork" ? "" : "application/octet-stream"),
    maxOutputBytes: read.integer("max_output_bytes", 64 * 1024 * 1024, { min: 1 }),
    prefixLogs: read.boolean("prefix_logs", true),
    logBufferBytes: read.integer("log_buffer_size", 65_536, { min: -1 }),
    logCallId: readBoolean("log_callid") || readBoolean("log_call_id"),
    cgiHeaders: read.boolean("cgi_headers", true),
    combineOutput: read.boolean("combine_output", true),
    writeDebug: readBoolean("write_debug"),
    debugHeaders: readBoolean("debug_headers"),
    marshalRequest: readBoolean("marshal_request"),
  });
  refuseUnusable(config);
  return config;

  function readBoolean(name: string): boolean {
    return read.boolean(name, false);
  }
}

/** Split at spaces, as OpenFaaS does: no quoting, no shell. */
function splitCommand(text: string): string[] {
  return text.split(" ").filter((word) => word !== "");
}

/** `--listen <path>`; nothing else is taken. */
function readSocketPath(args: readonly string[]): string | undefined {
  const [flag, path] = args;
  if (flag === undefined) return undefined;
  if (flag === "--listen" && path !== undefined && args.length === 2) return path;
  throw new ConfigError([`arguments are "${args.join(" ")}"; expected "--listen <socket path>"`]);
}

function refuseUnusable({ mode, command, upstreamUrl, writeTimeoutMs }: Config): void {
  const problems = [
    ...(command.length === 0 && mode !== "static"
      ? ['fprocess is not set; expected a program and its arguments such as "wc -l"']
      : []),
    ...(mode === "http" && !URL.canParse(upstreamUrl)
      ? [`upstream_url is "${upstreamUrl}"; http mode needs one such as "http://127.0.0.1:3000"`]
      : []),
    ...(writeTimeoutMs === 0 ? ["write_timeout is 0; expected more"] : []),
  ];
  if (problems.length > 0) throw new ConfigError(problems);
}
