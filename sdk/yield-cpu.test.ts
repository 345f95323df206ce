import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { getPriority } from "node:os";
import test from "ava";
import { until } from "../test/helpers/until.ts";
import { yieldCpu } from "./yield-cpu.ts";

const TELL = 'process.stdin.once("data", () => console.log(require("node:os").getPriority()));';

function start() {
  return spawn(process.execPath, ["-e", TELL], {
    stdio: ["pipe", "pipe", "inherit"],
    detached: true,
  });
}

/** `/autogroup-350045 nice 10`, or nothing where the system shares cores otherwise. */
function readSession(pid: number | undefined): string {
  try {
    return readFileSync(`/proc/${pid}/autogroup`, "utf8").trim();
  } catch {
    return "";
  }
}

test("a program that yields runs below this one", async (t) => {
  const child = start();

  yieldCpu(child.pid);
  child.stdin.end("go");
  const printed = (await child.stdout.toArray()).join("");

  t.is(Number(printed), Math.min(getPriority() + 10, 19));
});

test("its session yields, too, where sessions share the cores", async (t) => {
  const child = start();
  t.teardown(() => child.kill());
  if (!/ nice /.test(readSession(child.pid))) {
    t.log("this system does not share cores among sessions");
    t.pass();
    return;
  }

  // An ordinary user may say so ten times a second, all programs together.
  await until(() => {
    yieldCpu(child.pid);
    return readSession(child.pid).endsWith(" nice 10");
  });

  t.regex(readSession(child.pid), / nice 10$/);
});

test("a program that has ended, or was never started, yields nothing", async (t) => {
  const child = spawn("true");
  await once(child, "close");

  t.notThrows(() => yieldCpu(child.pid));
  t.notThrows(() => yieldCpu(undefined));
});
