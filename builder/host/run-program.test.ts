import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import test from "ava";
import { poll } from "../test-builder.ts";
import { runProgram } from "./run-program.ts";

const env = { PATH: process.env.PATH ?? "" };
const NEVER = new AbortController().signal;

function run(script: string, tell: (line: string) => void, signal = NEVER) {
  return runProgram({ file: "bash", args: ["-c", script], cwd: "/", env }, tell, signal);
}

test("output is told line by line, both streams, the last without its end too", async (t) => {
  const lines: string[] = [];

  const code = await run("printf 'a\\r\\nb\\n'; printf 'c' >&2; exit 7", (line) =>
    lines.push(line),
  );

  t.is(code, 7);
  t.deepEqual(lines.sort(), ["a", "b", "c"]);
});

test("a line that never ends is told in pieces", async (t) => {
  const lengths: number[] = [];

  await run("head -c 300000 /dev/zero | tr '\\0' x", (line) => lengths.push(line.length));

  t.true(lengths.length > 1);
  t.is(
    lengths.reduce((sum, length) => sum + length, 0),
    300_000,
  );
});

test("nothing of the platform's environment reaches a program", async (t) => {
  const lines: string[] = [];

  await run("env | cut -d= -f1", (line) => lines.push(line));

  t.deepEqual(
    lines.filter((name) => !["PATH", "PWD", "SHLVL", "_"].includes(name)),
    [],
  );
});

test("a program that something else kills is no failure of what it was to do", async (t) => {
  const error = await t.throwsAsync(run("kill -KILL $$", () => undefined));

  t.like(error, { status: 503, message: "bash was killed by SIGKILL." });
});

test("an abort ends the program and what it started in the background", async (t) => {
  const leaving = new AbortController();
  let child = 0;
  const running = run(
    "sleep 60 & echo $!; wait",
    (line) => {
      child = Number(line);
    },
    leaving.signal,
  );
  await poll(() => child > 0);

  leaving.abort(new Error("left"));

  await t.throwsAsync(running, { message: "left" });
  await poll(() => !isAlive(child));
});

test("what a program leaves in the background goes when it ends", async (t) => {
  let child = 0;

  await run("sleep 60 & echo $!", (line) => {
    child = Number(line);
  });

  await poll(() => !isAlive(child));
  t.pass();
});

const hasSetpriv = env.PATH.split(":").some((folder) => existsSync(`${folder}/setpriv`));
(hasSetpriv ? test : test.skip)(
  "kill -9 of the platform ends a program (needs setpriv on the PATH)",
  async (t) => {
    const module = fileURLToPath(new URL("run-program.ts", import.meta.url));
    const script = `import { runProgram } from ${JSON.stringify(module)};
      await runProgram({ file: "bash", args: ["-c", "echo $$; exec sleep 60"], cwd: "/", env: { PATH: process.env.PATH } },
        (line) => console.log(line), new AbortController().signal);`;
    const platform = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [text] = await once(platform.stdout, "data");
    const program = Number(String(text));

    platform.kill("SIGKILL");

    await poll(() => !isAlive(program));
    t.true(program > 0);
  },
);

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
