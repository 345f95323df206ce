import { spawn } from "node:child_process";
import { once } from "node:events";
import { getPriority } from "node:os";
import test from "ava";
import { yieldCpu } from "./yield-cpu.ts";

const TELL = 'process.stdin.once("data", () => console.log(require("node:os").getPriority()));';

test("a program that yields runs below this one", async (t) => {
  const child = spawn(process.execPath, ["-e", TELL], { stdio: ["pipe", "pipe", "inherit"] });

  yieldCpu(child.pid);
  child.stdin.end("go");
  const printed = (await child.stdout.toArray()).join("");

  t.is(Number(printed), Math.min(getPriority() + 10, 19));
});

test("a program that has ended, or was never started, yields nothing", async (t) => {
  const child = spawn("true");
  await once(child, "close");

  t.notThrows(() => yieldCpu(child.pid));
  t.notThrows(() => yieldCpu(undefined));
});
