import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { findPort } from "../test/helpers/find-port.ts";
import { dial } from "./test-client.ts";
import { poll, startWatchdogProcess } from "./test-process.ts";

const FIXTURES = new URL("fixtures", import.meta.url).pathname;

test("fork mode hands over body, path, query and headers, and echoes the content type", async (t) => {
  const server = await startWatchdogProcess(
    t,
    { mode: "fork", fprocess: "bash ./facts.sh" },
    { cwd: FIXTURES },
  );

  const answer = await server.ask("/a/b?x=1&y=2", {
    method: "PATCH",
    body: "hello",
    headers: { "content-type": "text/x-shop", "x-call-id": "c1" },
  });

  t.is(answer.headers["content-type"], "text/x-shop");
  t.is(answer.text, "PATCH|/a/b|x=1&y=2|text/x-shop|c1|5|5|hello\n");
  await poll(() => /Wrote 44 Bytes - Duration: \d+\.\d{6}s\n/.test(server.output()));
  t.regex(server.output(), /\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d Forking fprocess\.\n/);
});

test("fork mode answers 500 with exit status and output when the program fails", async (t) => {
  const server = await startWatchdogProcess(
    t,
    { mode: "fork", fprocess: "bash ./fail.sh" },
    { cwd: FIXTURES },
  );

  const answer = await server.ask("/");

  t.is(answer.status, 500);
  t.is(answer.text, "exit status 3\nsome output\nsome error\n");
});

test("fork mode keeps standard error for the log when combine_output is false", async (t) => {
  const server = await startWatchdogProcess(
    t,
    { mode: "fork", fprocess: "bash ./fail.sh", combine_output: "false", prefix_logs: "false" },
    { cwd: FIXTURES },
  );

  const answer = await server.ask("/");

  t.is(answer.text, "exit status 3\nsome output\n");
  await poll(() => server.output().includes("\nsome error\n"));
  t.pass();
});

test("fork mode refuses HEAD and OPTIONS with 405", async (t) => {
  const server = await startWatchdogProcess(t, { mode: "fork", fprocess: "cat" });

  const statuses = await Promise.all(
    ["HEAD", "OPTIONS"].map(async (method) => (await server.ask("/", { method })).status),
  );

  t.deepEqual(statuses, [405, 405]);
});

test("fork mode answers 500 when the program cannot be started", async (t) => {
  const server = await startWatchdogProcess(t, { mode: "fork", fprocess: "/no/such/program" });

  const answer = await server.ask("/", { body: "x" });

  t.is(answer.status, 500);
});

test("an answer longer than max_output_bytes ends the program instead of filling memory", async (t) => {
  const server = await startWatchdogProcess(t, {
    mode: "fork",
    fprocess: "yes",
    max_output_bytes: "100000",
  });

  const answer = await server.ask("/");

  t.is(answer.status, 500);
  t.is(answer.text, "output is longer than 100000 bytes\n");
});

test("serializing mode answers 500 with the exit status alone", async (t) => {
  const server = await startWatchdogProcess(
    t,
    { mode: "serializing", fprocess: "bash ./fail.sh" },
    { cwd: FIXTURES },
  );

  const answer = await server.ask("/");

  t.deepEqual([answer.status, answer.text], [500, "exit status 3"]);
  await poll(() => /stderr: some error/.test(server.output()));
});

test("streaming mode sends output as it comes and the request as it arrives", async (t) => {
  const server = await startWatchdogProcess(t, { mode: "streaming", fprocess: "cat" });
  const { socket, received } = dial(server.socketPath);

  socket.write("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
  await poll(() => received().includes("one"));
  socket.write("3\r\ntwo\r\n0\r\n\r\n");
  await poll(() => received().includes("two"));
  socket.destroy();

  t.regex(received(), /^HTTP\/1\.1 200 OK\r\nContent-Type: application\/octet-stream\r\n/i);
});

test("a client that goes away takes the program and its children with it", async (t) => {
  const server = await startWatchdogProcess(
    t,
    { mode: "streaming", fprocess: "bash ./family.sh" },
    { cwd: FIXTURES },
  );
  const leaving = new AbortController();

  const asking = server.ask("/", { signal: leaving.signal });
  asking.catch(() => {});
  const pids = await pidsIn(() => server.output());
  leaving.abort();

  await poll(() => pids.every((pid) => !isAlive(pid)));
  await t.throwsAsync(asking);
  t.is(pids.length, 2);
});

test("kill -9 of the watchdog ends the program it runs", async (t) => {
  const server = await startWatchdogProcess(t, { mode: "fork", fprocess: "sleep 60" });
  server.ask("/").catch(() => {});
  const pid = await childOf(server.child.pid ?? 0);

  server.child.kill("SIGKILL");

  await poll(() => !isAlive(pid));
  t.pass();
});

test("http mode starts one program, waits until it listens, and passes everything on", async (t) => {
  const port = await findPort();
  const server = await startWatchdogProcess(
    t,
    {
      mode: "http",
      fprocess: `${process.execPath} ./upstream.mjs ${port}`,
      upstream_url: `http://127.0.0.1:${port}`,
    },
    { cwd: FIXTURES },
  );

  const answer = await server.ask("/some/path?q=1", { body: "hello", headers: { "x-shop": "1" } });

  t.is(answer.status, 201);
  t.like(JSON.parse(answer.text), {
    url: "/some/path?q=1",
    method: "POST",
    body: "hello",
    shop: "1",
  });
  t.regex(String(answer.headers["x-duration-seconds"]), /^\d+\.\d{6}$/);
});

test("http mode answers 504 at the deadline and 500 when its program hangs up", async (t) => {
  const port = await findPort();
  const server = await startWatchdogProcess(
    t,
    {
      mode: "http",
      fprocess: `${process.execPath} ./upstream.mjs ${port}`,
      upstream_url: `http://127.0.0.1:${port}`,
    },
    { cwd: FIXTURES },
  );

  const late = await server.ask("/slow", { headers: { "x-timeout": "200ms" } });
  const torn = await server.ask("/hang-up");

  t.deepEqual(
    [late.status, late.text, late.headers["x-openfaas-internal"]],
    [504, "", "of-watchdog"],
  );
  t.deepEqual(
    [torn.status, torn.text, torn.headers["x-openfaas-internal"]],
    [500, "", "of-watchdog"],
  );
});

// Told at once, as of-watchdog does it, a program that does not handle SIGTERM takes its answers along.
test("http mode ends its program only when nothing is left to answer, upgraded connections at write_timeout", async (t) => {
  const port = await findPort();
  const server = await startWatchdogProcess(
    t,
    {
      mode: "http",
      fprocess: `${process.execPath} ./upstream.mjs ${port}`,
      upstream_url: `http://127.0.0.1:${port}`,
      healthcheck_interval: "0s",
      write_timeout: "3s",
    },
    { cwd: FIXTURES },
  );
  const { socket, received } = dial(server.socketPath);
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
  await poll(() => received().includes("\r\n\r\n"));
  const slow = server.ask("/wait?ms=1000");
  await poll(async () => (await server.ask("/waiting")).text === "1");

  server.child.kill("SIGTERM");
  const toldAt = Date.now();
  const answer = await slow;
  socket.write("still here");
  await poll(() => received().endsWith("still here"));
  await closed;

  t.is(answer.text, "waited");
  t.true(Date.now() - toldAt > 2_900);
  t.is(await server.ended, 0);
});

test("http mode carries an upgraded connection both ways", async (t) => {
  const port = await findPort();
  const server = await startWatchdogProcess(
    t,
    {
      mode: "http",
      fprocess: `${process.execPath} ./upstream.mjs ${port}`,
      upstream_url: `http://127.0.0.1:${port}`,
    },
    { cwd: FIXTURES },
  );
  const { socket, received } = dial(server.socketPath);

  socket.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
  await poll(() => received().includes("\r\n\r\n"));
  socket.write("ping");
  await poll(() => received().endsWith("ping"));
  socket.destroy();

  t.regex(received(), /^HTTP\/1\.1 101 /);
});

test("http mode ends when its program does, exit code 0 included", async (t) => {
  const server = await startWatchdogProcess(
    t,
    { mode: "http", fprocess: "true", upstream_url: "http://127.0.0.1:9" },
    { healthy: false },
  );

  t.is(await server.ended, 1);
  t.regex(server.output(), /process ended \(exit status 0\)/);
});

test("static mode serves files, and nothing outside its folder", async (t) => {
  const folder = await makeSite(t);
  const server = await startWatchdogProcess(t, { mode: "static", static_path: folder });

  const answers = await Promise.all(
    ["/", "/style.css", "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/passwd", "/none"].map(
      async (path) => {
        const { status, headers, text } = await server.ask(path);
        return [path, status, headers["content-type"], text];
      },
    ),
  );

  const missing = [404, "text/plain", "404 page not found\n"];
  t.deepEqual(answers, [
    ["/", 200, "text/html; charset=utf-8", "<h1>Shop</h1>"],
    ["/style.css", 200, "text/css; charset=utf-8", "h1 {}"],
    ["/../../etc/passwd", ...missing],
    ["/%2e%2e/%2e%2e/etc/passwd", ...missing],
    ["/passwd", ...missing],
    ["/none", ...missing],
  ]);
});

test("what cannot be used is named all at once, and nothing is served", async (t) => {
  const server = await startWatchdogProcess(
    t,
    { mode: "afterburn", exec_timeout: "soon", max_inflight: "many" },
    { healthy: false },
  );

  t.is(await server.ended, 1);
  for (const name of ["mode", "exec_timeout", "max_inflight"])
    t.regex(server.output(), new RegExp(`- ${name} is "`));
});

async function makeSite(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "ofc-static-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, "index.html"), "<h1>Shop</h1>");
  await writeFile(join(folder, "style.css"), "h1 {}");
  await symlink("/etc/passwd", join(folder, "passwd"));
  return folder;
}

/** family.sh tells its own process id and its child's on standard error. */
async function pidsIn(output: () => string): Promise<number[]> {
  const find = () => [...output().matchAll(/pid (\d+)/g)].map(([, pid]) => Number(pid));
  await poll(() => find().length === 2);
  return find();
}

async function childOf(parent: number): Promise<number> {
  const { readFile } = await import("node:fs/promises");
  let pid = 0;
  await poll(async () => {
    const children = await readFile(`/proc/${parent}/task/${parent}/children`, "utf8");
    pid = Number(children.trim().split(" ")[0]);
    const name = pid > 0 ? await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "") : "";
    return name.trim() === "sleep";
  });
  return pid;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
