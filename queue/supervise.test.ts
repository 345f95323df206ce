import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import { createLog } from "#sdk/log.ts";
import { supervise } from "./supervise.ts";

async function setUp(t: ExecutionContext) {
  const folder = await mkdtemp(join(tmpdir(), "supervise-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const lines: string[] = [];
  const program = {
    name: "sleeper",
    file: process.execPath,
    args: ["-e", "console.error('last words'); setInterval(() => {}, 1000)", folder],
    pidFile: join(folder, "sleeper.pid"),
    mark: folder,
    env: {},
  };
  return { folder, program, lines, log: createLog((line) => lines.push(line)) };
}

test("a program that dies is started again, and stays away once it is stopped", async (t) => {
  const { program, lines, log } = await setUp(t);
  const sleeper = await supervise(program, log);
  const first = sleeper.pid() ?? 0;

  process.kill(first, "SIGKILL");
  await until(() => sleeper.pid() !== first);
  const second = sleeper.pid() ?? 0;
  t.is(await readFile(program.pidFile, "utf8"), String(second));
  await sleeper.stop();

  t.false(isAlive(second));
  t.true(lines.some((line) => line.includes("queue-store-died") && line.includes("SIGKILL")));
  await t.throwsAsync(readFile(program.pidFile), { code: "ENOENT" });
});

test("a left-over of a killed platform is ended before another is started", async (t) => {
  const { program, log } = await setUp(t);
  const leftOver = spawn(program.file, program.args, { stdio: "ignore" });
  t.teardown(() => void leftOver.kill("SIGKILL"));
  await writeFile(program.pidFile, String(leftOver.pid));

  const sleeper = await supervise(program, log);
  t.teardown(() => sleeper.stop());

  await until(() => leftOver.signalCode === "SIGKILL");
  t.not(sleeper.pid(), leftOver.pid);
});

test("a stranger that got the noted pid is left alone", async (t) => {
  const { program, log } = await setUp(t);
  await writeFile(program.pidFile, String(process.pid));

  const sleeper = await supervise(program, log);
  await sleeper.stop();

  t.true(isAlive(process.pid));
});

test("a program that cannot be started says why", async (t) => {
  const { program, lines, log } = await setUp(t);

  const sleeper = await supervise({ ...program, file: "/nowhere/at-all" }, log);
  t.teardown(() => sleeper.stop());

  await until(() => lines.some((line) => line.includes("queue-store-died")));
  t.true(lines.some((line) => line.includes("/nowhere/at-all")));
});

test("a start whose pid cannot be noted, as on a disk that is full, is tried again", async (t) => {
  const { folder, program, lines, log } = await setUp(t);
  const run = join(folder, "run");
  const pidFile = join(run, "sleeper.pid");
  await mkdir(run);
  const sleeper = await supervise({ ...program, pidFile }, log);
  t.teardown(() => sleeper.stop());
  const first = sleeper.pid() ?? 0;

  await rm(run, { recursive: true });
  process.kill(first, "SIGKILL");
  await until(() => lines.some((line) => /queue-store-died/.test(line) && /ENOENT/.test(line)));
  await mkdir(run);
  await until(() => sleeper.pid() !== first);

  t.is(await readFile(pidFile, "utf8"), String(sleeper.pid()));
  t.true(isAlive(sleeper.pid() ?? 0));
  t.is(lines.filter((line) => line.includes("queue-store-restarted")).length, 1);
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    // ESRCH: it is gone.
    return false;
  }
}

async function until(seen: () => boolean, deadlineMs = 10_000): Promise<void> {
  const deadline = Date.now() + deadlineMs;
  while (!seen()) {
    if (Date.now() > deadline) throw new Error(`Not seen within ${deadlineMs} ms`);
    await wait(5);
  }
}
