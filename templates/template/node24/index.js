// Serves the handler in function/ over HTTP and is its own watchdog: health, limits, timeouts, shutdown.
// `node index.js` listens on TCP `port`; `node index.js --listen <path>` on that Unix socket.

const { rmSync } = require("node:fs");
const http = require("node:http");
const { createLock } = require("./lock.js");
const { invoke } = require("./invoke.js");
const { loadHandler } = require("./load-handler.js");
const { readBody } = require("./read-body.js");
const { readSettings } = require("./settings.js");

async function main() {
  const settings = readSettings(process.env, process.argv.slice(2));
  const handler = await loadHandler(`${__dirname}/function`);
  const lock = createLock(settings);
  const server = createServer(settings, handler, lock);

  if (settings.socketPath) rmSync(settings.socketPath, { force: true });
  server.listen(settings.socketPath ? { path: settings.socketPath } : { port: settings.port }, () =>
    lock.write(),
  );
  for (const signal of ["SIGTERM", "SIGINT"])
    process.once(signal, () => shutDown(server, lock, settings));
}

function createServer(settings, handler, lock) {
  let inflight = 0;
  const server = http.createServer({ maxHeaderSize: 1 << 20, keepAliveTimeout: 65_000 });
  server.requestTimeout = settings.readTimeoutMs;
  return server.on("request", (request, response) => {
    if (request.url === "/_/health") return answerProbe(request, response, lock.held() ? 200 : 503);
    if (request.url === "/_/ready") return answerReady(request, response);
    if (isFull()) return refuse(response, settings.maxInflight);
    inflight++;
    response.once("close", () => inflight--);
    return serve(request, response, settings, handler);
  });

  function answerReady(request, response) {
    if (request.method !== "GET" || !lock.held()) return answerProbe(request, response, 503);
    if (isFull()) return refuse(response, settings.maxInflight);
    if (!settings.readyPath) return response.end();
    request.url = settings.readyPath;
    return serve(request, response, settings, handler);
  }

  function isFull() {
    return settings.maxInflight > 0 && inflight >= settings.maxInflight;
  }
}

function answerProbe(request, response, status) {
  response.statusCode = request.method === "GET" ? status : 405;
  response.end(response.statusCode === 200 ? "OK" : "");
}

function refuse(response, maxInflight) {
  answer(
    response,
    429,
    { "content-type": "text/plain", "x-openfaas-internal": "faas-middleware" },
    `Concurrent request limit exceeded. Max concurrent requests: ${maxInflight}\n`,
  );
}

async function serve(request, response, settings, handler) {
  const start = process.hrtime.bigint();
  const duration = () => (Number(process.hrtime.bigint() - start) / 1e9).toFixed(6);
  const timer = startTimer(request, response, settings, duration);
  response.once("close", () => clearTimeout(timer));
  try {
    const body = await readBody(request, settings);
    await invoke(handler, request, body, { response, duration });
  } catch (error) {
    // The client left in the middle of its body.
    if (error.code === "ECONNRESET" && !request.complete) return;
    answerFailure(response, error, duration());
  }
}

/** Answer 504 at the deadline; the handler itself cannot be stopped, its answer is dropped. */
function startTimer(request, response, { execTimeoutMs, parseDuration }, duration) {
  if (execTimeoutMs === 0) return undefined;
  const asked = parseDuration(request.headers["x-timeout"] ?? "");
  const limitMs = asked > 0 && asked < execTimeoutMs ? asked : execTimeoutMs;
  return setTimeout(() => {
    // A stream that already began may go on; a late answer may not begin.
    if (response.headersSent) return;
    answer(response, 504, {
      "x-openfaas-internal": "of-watchdog",
      "x-duration-seconds": duration(),
    });
  }, limitMs);
}

function answerFailure(response, error, seconds) {
  if (!error.statusCode) console.error(error);
  if (response.writableEnded) return undefined;
  if (response.headersSent) return response.destroy();
  const headers = {
    "content-type": "text/plain; charset=utf-8",
    "x-duration-seconds": seconds,
    // What is left of a refused body is not read.
    ...(error.statusCode === 413 ? { connection: "close" } : {}),
  };
  return answer(response, error.statusCode ?? 500, headers, String(error.message ?? error));
}

function answer(response, status, headers, body = "") {
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.end(body);
}

/** Turn unhealthy, give routers time to notice, finish what runs, leave. */
function shutDown(server, lock, { healthcheckIntervalMs, writeTimeoutMs }) {
  lock.remove();
  setTimeout(() => {
    server.close(() => process.exit(0));
    // Clients keep a connection after its answer; nothing new comes on it.
    setInterval(() => server.closeIdleConnections(), 10).unref();
    setTimeout(() => process.exit(0), writeTimeoutMs).unref();
  }, healthcheckIntervalMs);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
