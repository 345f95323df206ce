import { spawn } from "node:child_process";
import { once } from "node:events";
import { getPriority } from "node:os";
import test from "ava";
import { yieldCpu } from "./yield-cpu.ts";

test("a program that yields runs below this one, and so does what it starts", async (t) => {
  const script = "read go; nice";
  const child = spawn("sh", ["-c", script], { stdio: ["pipe", "pipe", "inherit"] });

  yieldCpu(child.pid);
  child.stdin.end("go\n");
  const printed = (await child.stdout.toArray()).join("");

  t.is(Number(printed), Math.min(getPriority() + 10, 19));
});

test("a program that has ended, or was never started, yields nothing", async (t) => {
  const child = spawn("true");
  await once(child, "close");

  t.notThrows(() => yieldCpu(child.pid));
  t.notThrows(() => yieldCpu(undefined));
});
