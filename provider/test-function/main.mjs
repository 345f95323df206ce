/**
 * The function that engine tests deploy; its environment decides how it behaves, its paths what it does.
 * Listens on the Unix socket after `--listen`, else on port 8080, as containers do.
 */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { connect } from "node:net";

// biome-ignore lint/style/noProcessEnv: a function reads its own environment
const env = process.env;
const startedAt = Date.now();
const kept = [];
/** From a file where `behaviour_file` names one, so that it can change between two starts. */
const behaviour = env.behaviour_file
  ? attempt(() => readFileSync(env.behaviour_file, "utf8"))
  : env.behaviour;

/** `behaviour=exit` ends at once, `=deaf` never listens, `=sick` answers its health path 500, `=link` puts a link where its socket should be. */
if (behaviour === "exit") {
  process.stderr.write("cannot start: no database\n");
  process.exit(7);
}

const paths = {
  "/_/health": (_, answer) => {
    answer.statusCode = behaviour === "sick" ? 500 : 200;
    answer.end("OK");
  },
  "/": (_, answer) => answer.end(env.version ?? ""),
  "/env": (_, answer) => answer.end(JSON.stringify(env)),
  "/who": (_, answer) =>
    answer.end(JSON.stringify({ pid: process.pid, uid: process.getuid(), startedAt })),
  "/slow": (query, answer) => setTimeout(() => answer.end("slow"), Number(query.get("ms"))),
  "/stream": (query, answer) => {
    let left = Number(query.get("lines"));
    const timer = setInterval(() => {
      answer.write(`${left}\n`);
      if (--left > 0) return;
      clearInterval(timer);
      answer.end();
    }, 20);
  },
  "/exit": (query) => process.exit(Number(query.get("code"))),
  "/print": (query, answer) => {
    process.stdout.write(`${query.get("text").repeat(Number(query.get("times") ?? 1))}\n`, () =>
      answer.end(),
    );
  },
  "/read": (query, answer) => answer.end(attempt(() => readFileSync(query.get("path"), "utf8"))),
  "/list": (query, answer) => answer.end(attempt(() => readdirSync(query.get("path")).join(" "))),
  "/write": (query, answer) => answer.end(attempt(() => writeFileSync(query.get("path"), "x"))),
  "/remove": (query, answer) => answer.end(attempt(() => rmSync(query.get("path")))),
  /** Start a process that outlives its parent where nothing prevents it. */
  "/spawn": (query, answer) => {
    const detached = query.get("detached") === "true";
    const child = spawn("sleep", ["1000"], { detached, stdio: "ignore" });
    answer.end(String(child.pid));
  },
  "/knock": async (query, answer) =>
    answer.end(await knock({ host: query.get("host"), port: Number(query.get("port")) })),
  "/fetch": async (query, answer) => {
    const asked = fetch(query.get("url"), { signal: AbortSignal.timeout(10_000) });
    const [status, text] = await asked.then(
      async (response) => [response.status, await response.text()],
      (error) => [error.name, String(error.cause)],
    );
    answer.end(`${status} ${text}`);
  },
  "/crowd": async (query, answer) => answer.end(String(await crowd(Number(query.get("count"))))),
  "/grow": (query) => {
    for (let grown = 0; grown < Number(query.get("mb")); grown++)
      kept.push(Buffer.alloc(1024 * 1024, 1));
  },
};

/** `open`, or why not. */
function knock(target) {
  return new Promise((resolve) => {
    const socket = connect(target);
    const finish = (how) => {
      socket.destroy();
      resolve(how);
    };
    socket.setTimeout(2_000, () => finish("silent"));
    socket.on("connect", () => finish("open"));
    socket.on("error", ({ code }) => finish(code));
  });
}

/** How many of so many processes could be started. */
async function crowd(count) {
  const children = Array.from({ length: count }, () => spawn("sleep", ["60"], { stdio: "ignore" }));
  const started = await Promise.all(
    children.map(
      (child) =>
        new Promise((resolve) => {
          child.on("spawn", () => resolve(true));
          child.on("error", () => resolve(false));
        }),
    ),
  );
  for (const child of children) child.kill("SIGKILL");
  return started.filter(Boolean).length;
}

const server = createServer((request, answer) => {
  const url = new URL(request.url, "http://function");
  const act = paths[url.pathname];
  if (act === undefined) answer.writeHead(404).end();
  else act(url.searchParams, answer);
});
const option = process.argv.indexOf("--listen");
const address = option < 0 ? 8080 : process.argv[option + 1];
if (behaviour === "deaf") setInterval(() => {}, 1_000);
else if (behaviour !== "link") server.listen(address);
else server.listen(`${address}.real`, () => symlinkSync(`${address}.real`, address));
process.stdout.write(`started version ${env.version ?? ""}\n`);

/** `stubborn=true` never lets go. */
process.on("SIGTERM", () => {
  if (env.stubborn === "true") return;
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});

function attempt(work) {
  try {
    return work() ?? "done";
  } catch (error) {
    return error.code;
  }
}
