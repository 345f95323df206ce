import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import test, { type ExecutionContext } from "ava";
import { until } from "../test/helpers/until.ts";
import { parseCores, shareCores, useAllCores } from "./cores.ts";
import { findProgram, STANDARD_PATH } from "./find-program.ts";
import { createLog, silentLog } from "./log.ts";

const ALL = coresOf(process.pid);
const FEWER = ALL.slice(0, -1);
const able = FEWER.length > 0 && findProgram("taskset", STANDARD_PATH) !== undefined;
const testOnCores = able ? test.serial : test.serial.skip;
const needs = able ? "" : " [needs two cores and taskset]";

test("lists of cores are read as the kernel writes them", (t) => {
  const read = (list: string) => parseCores(`Name:\tx\nCpus_allowed_list:\t${list}\nMems:\t0\n`);

  t.deepEqual(read("0"), [0]);
  t.deepEqual(read("0-3"), [0, 1, 2, 3]);
  t.deepEqual(read("1,4-5,9"), [1, 4, 5, 9]);
  t.deepEqual(parseCores(""), []);
});

testOnCores(
  `while functions are called this process and what it starts leave one core, and then take it back${needs}`,
  async (t) => {
    const cores = shareCores(silentLog, 2_000);
    t.teardown(cores.close);
    const before = await startParent(t);

    cores.leaveOne();
    await until(() => sees(process.pid, FEWER));
    const meanwhile = await startParent(t);
    const seen = [before, meanwhile].map((pids) => pids.map((pid) => coresOf(pid)));
    const calls = setInterval(cores.leaveOne, 100);
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    const longAfter = coresOf(process.pid);
    clearInterval(calls);

    t.deepEqual(seen, [
      [ALL, ALL],
      [FEWER, FEWER],
    ]);
    t.deepEqual(longAfter, FEWER);
    t.true(await until(() => [process.pid, ...meanwhile].every((pid) => sees(pid, ALL))));
  },
);

testOnCores(
  `a program that serves gets every core back with all that it started, and somebody else's choice stays${needs}`,
  async (t) => {
    const cores = shareCores(silentLog, 60_000);
    const last = ALL.slice(-1);
    t.teardown(async () => {
      await cores.close();
      await useAllCores(process.pid);
    });
    cores.leaveOne();
    await until(() => sees(process.pid, FEWER));
    const [parent = 0, child = 0] = await startParent(t);
    const [chosen = 0] = await startParent(t);
    pin(chosen, last);

    await Promise.all([useAllCores(parent), useAllCores(chosen), useAllCores(undefined)]);

    t.deepEqual([coresOf(parent), coresOf(child)], [ALL, ALL]);
    t.deepEqual(coresOf(chosen), last);
    t.deepEqual(coresOf(process.pid), FEWER);
  },
);

testOnCores(`a program that has ended is no failure${needs}`, async (t) => {
  const lines: string[] = [];
  const cores = shareCores(
    createLog((line) => lines.push(line)),
    60_000,
  );
  const child = spawn("true");
  await new Promise((resolve) => child.once("exit", resolve));

  await t.notThrowsAsync(useAllCores(child.pid));
  cores.leaveOne();
  await cores.close();
  await useAllCores(process.pid);

  t.deepEqual(lines, []);
});

/** A program and its child, which live until the test ends. */
async function startParent(t: ExecutionContext): Promise<number[]> {
  const parent = spawn("unshare", ["--fork", "sleep", "1000"], { detached: true });
  t.teardown(() => void process.kill(-(parent.pid ?? 0), "SIGKILL"));
  const child = await until(() => childOf(parent));
  return [parent.pid ?? 0, child];
}

function childOf({ pid }: ChildProcess): number | undefined {
  const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ");
  return child === undefined || child === "" ? undefined : Number(child);
}

function pin(pid: number, cores: readonly number[]): void {
  execFileSync("taskset", ["--cpu-list", "--pid", cores.join(","), String(pid)]);
}

const sees = (pid: number, cores: readonly number[]) => coresOf(pid).join() === cores.join();

function coresOf(pid: number): readonly number[] {
  return parseCores(readFileSync(`/proc/${pid}/status`, "utf8"));
}
