import { spawnSync } from "node:child_process";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { TEMPLATES_FOLDER } from "#sdk/templates.ts";
import type { Answer } from "./test-client.ts";
import { isHealthy, poll, type Running, startServer, WATCHDOG } from "./test-process.ts";

/** Each server that may stand between the gateway and a function, with a handler that takes its body's milliseconds. */
const SERVERS: Readonly<Record<string, (t: ExecutionContext, env?: Env) => Promise<Running>>> = {
  "the watchdog in fork mode": (t, env = {}) =>
    startServer(t, [process.execPath, WATCHDOG], {
      env: { mode: "fork", fprocess: "bash ./wait.sh", ...env },
      cwd: FIXTURES,
    }),
  "the watchdog in serializing mode": (t, env = {}) =>
    startServer(t, [process.execPath, WATCHDOG], {
      env: { mode: "serializing", fprocess: "bash ./wait.sh", ...env },
      cwd: FIXTURES,
    }),
  "the node24 template": async (t, env = {}) => {
    const handler = `module.exports = async (event) => {
      await new Promise((resolve) => setTimeout(resolve, Number(event.body)));
      return "waited";
    };`;
    const cwd = await layOut(t, "node24", "handler.js", handler);
    return startServer(t, [process.execPath, "index.js"], { env, cwd });
  },
  "the python3-http template": async (t, env = {}) => {
    const handler =
      "import time\ndef handle(event, context):\n    time.sleep(int(event.body) / 1000)\n    return 'waited'\n";
    const cwd = await layOut(t, "python3-http", "handler.py", handler);
    return startServer(t, ["python3", "-u", "index.py"], { env, cwd });
  },
};

type Env = Readonly<Record<string, string>>;

const TEXT = { "content-type": "text/plain" };
const FIXTURES = new URL("fixtures", import.meta.url).pathname;
const hasPython = spawnSync("python3", ["--version"]).status === 0;

for (const [name, start] of Object.entries(SERVERS)) {
  if (name.includes("python") && !hasPython) {
    test.skip(`${name} is not tested: there is no python3 on the PATH`, () => {});
    continue;
  }

  test(`${name} answers health with OK, refuses other verbs, and times an answer`, async (t) => {
    const server = await start(t);

    const health = await server.ask("/_/health");
    const posted = await server.ask("/_/health", { method: "POST" });
    const answer = await server.ask("/", { body: "0", headers: { "content-type": "text/plain" } });

    t.deepEqual([health.status, health.text, posted.status], [200, "OK", 405]);
    t.deepEqual([answer.status, answer.text.trim()], [200, "waited"]);
    t.regex(String(answer.headers["x-duration-seconds"]), /^\d+\.\d{6}$/);
  });

  test(`${name} answers 429 above max_inflight, and is itself again after`, async (t) => {
    const server = await start(t, { max_inflight: "1" });
    const { running, refused } = await occupy(server);

    await running;
    const later = await server.ask("/", { body: "0", headers: TEXT });

    t.is(refused.text, "Concurrent request limit exceeded. Max concurrent requests: 1\n");
    t.is(refused.headers["content-type"], "text/plain");
    t.is(refused.headers["x-openfaas-internal"], "faas-middleware");
    t.is(later.status, 200);
  });

  test(`${name} finishes what runs after SIGTERM, takes nothing new, and exits with 0`, async (t) => {
    const server = await start(t, { max_inflight: "1" });
    const { running } = await occupy(server);

    server.child.kill("SIGTERM");
    await poll(async () => !(await isHealthy(server)));

    t.is((await running).text.trim(), "waited");
    const answered = Date.now();
    t.is(await server.ended, 0);
    t.true(Date.now() - answered < 5_000, "a connection kept open delays nothing");
  });

  test(`${name} turns unhealthy at SIGTERM and goes on serving for healthcheck_interval`, async (t) => {
    const server = await start(t, { healthcheck_interval: "3s" });

    server.child.kill("SIGTERM");
    await poll(async () => (await server.ask("/_/health")).status === 503);
    const late = await server.ask("/", { body: "0", headers: { "content-type": "text/plain" } });

    t.is(late.text.trim(), "waited");
    t.is(await server.ended, 0);
  });

  test(`${name} ends an answer that is later than exec_timeout or a shorter X-Timeout`, async (t) => {
    const server = await start(t, { exec_timeout: "10s" });
    const headers = { "content-type": "text/plain", "x-timeout": "200ms" };

    const { status } = await server.ask("/", { body: "5000", headers });

    t.is(status, name.includes("fork") ? 408 : name.includes("serializing") ? 500 : 504);
  });

  test(`${name} needs no lock file on a socket, and takes a chunked body`, async (t) => {
    const server = await start(t, { suppress_lock: "true" });
    const headers = { "content-type": "text/plain", "transfer-encoding": "chunked" };

    const answer = await server.ask("/any/path?x=1", { method: "PUT", body: "0", headers });

    t.true(await isHealthy(server));
    t.is(answer.text.trim(), "waited");
  });
}

/** Take the only place of `max_inflight`, seen by the refusal of another request. */
async function occupy(server: Running): Promise<{ running: Promise<Answer>; refused: Answer }> {
  const long = { body: "2000", headers: TEXT, keepAlive: true };
  // The other request may have come first and taken the place; so each tries until both had their way.
  const tryOn = async (): Promise<Answer> => {
    const answer = await server.ask("/", long);
    return answer.status === 429 ? tryOn() : answer;
  };
  const running = tryOn();
  let refused = await server.ask("/", { body: "0", headers: TEXT });
  await poll(async () => {
    if (refused.status !== 429) refused = await server.ask("/", { body: "0", headers: TEXT });
    return refused.status === 429;
  });
  return { running, refused };
}

async function layOut(
  t: ExecutionContext,
  template: string,
  file: string,
  text: string,
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "ofc-template-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  await cp(join(TEMPLATES_FOLDER, template), folder, { recursive: true });
  await writeFile(join(folder, "function", file), text);
  return folder;
}
