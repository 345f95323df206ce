import { readdirSync, readFileSync } from "node:fs";
import test from "ava";
import { parseCores } from "#sdk/cores.ts";
import { hasProgram } from "./helpers/has-program.ts";
import { removeData, startPlatform } from "./helpers/platform.ts";
import { answering, makeRepository, removeRepository, stackOf } from "./helpers/repository.ts";
import { until } from "./helpers/until.ts";

const ALL = parseCores(readFileSync("/proc/self/status", "utf8"));
const FEWER = ALL.slice(0, -1);
const able = FEWER.length > 0 && hasProgram("taskset");

(able ? test : test.skip)(
  `while functions are called the platform leaves them a core, and they and the gateway use all${able ? "" : " [needs two cores and taskset]"}`,
  async (t) => {
    const platform = await startPlatform();
    const repository = await makeRepository();
    t.teardown(async () => {
      await platform.stop();
      await removeData(platform.dataFolder);
      await removeRepository(repository);
    });
    const { url } = JSON.parse(await platform.ofc("token", "alice", "--json")) as { url: string };
    const push = async (text: string) => {
      await repository.commit({
        "stack.yml": stackOf({ hello: { lang: "node24" } }),
        "hello/handler.js": answering(text),
      });
      return repository.git("push", `${url}/shop.git`, "main");
    };
    await push("one");
    const quiet = coresOf(platform.pid);

    const calls = startCalls(`${platform.url}function/alice-hello`);
    await until(() => coresOf(platform.pid) === FEWER.join());
    await push("two");
    const serving = await until(() => {
      const found = listBelow(platform.pid).filter(({ command }) => serves(command));
      return found.length >= 2 && found.every(({ pid }) => coresOf(pid) === ALL.join()) && found;
    });
    const meanwhile = coresOf(platform.pid);
    await calls.stop();
    await until(() => coresOf(platform.pid) === ALL.join());

    t.is(quiet, ALL.join());
    t.is(meanwhile, FEWER.join());
    t.true(serving.some(({ command }) => command.includes("gateway/main.ts")));
    t.true(serving.some(({ command }) => command.includes("--listen")));
  },
);

/** Fifty calls a second. */
function startCalls(url: string) {
  const under: Promise<unknown>[] = [];
  const timer = setInterval(() => under.push(fetch(url).then((answer) => answer.text())), 20);
  return {
    async stop(): Promise<void> {
      clearInterval(timer);
      await Promise.all(under);
    },
  };
}

/** The gateway, and the program of a function. */
const serves = (command: string) =>
  command.includes("gateway/main.ts") || /^\/platform\/bin\/node .*--listen/.test(command);

type Running = { readonly pid: number; readonly command: string };

function listBelow(pid: number): Running[] {
  return childrenOf(pid).flatMap((child) => {
    const command = read(`/proc/${child}/cmdline`).replaceAll("\0", " ");
    return [{ pid: child, command }, ...listBelow(child)];
  });
}

function childrenOf(pid: number): number[] {
  const lists = list(`/proc/${pid}/task`).map((id) => read(`/proc/${pid}/task/${id}/children`));
  return lists
    .flatMap((text) => text.split(" "))
    .filter(Boolean)
    .map(Number);
}

/** Git's programs come and go; nothing is left of one that has ended. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** `0,1` */
const coresOf = (pid: number) => parseCores(read(`/proc/${pid}/status`)).join();
