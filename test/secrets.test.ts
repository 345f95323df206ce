import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
import { openSystem } from "./faults/open-system.ts";
import { type Kind, kindOf, listDescendants, type Running } from "./faults/processes.ts";
import { type Scene, setUp } from "./faults/set-up.ts";

const FUNCTION_SECRET = "canary-of-a-function-0f6d1a";
/** What the forge and the stand-in for GitHub hand out. */
const TOKEN = /\b(?:ofc|gh[a-z])_[\w-]{20,}/;
const KINDS: readonly Kind[] = ["gateway", "queue", "git", "installer", "function"];
/** Pushes after which every kind of process was there to be looked at, also by a slow watcher. */
const MOST_PUSHES = 20;

test("while pushes are built no process below the platform has a secret in its arguments or environment", async (t) => {
  const scene = await setUp(t, {}, { hasPackage: true });
  const secrets = await listSecrets(scene);
  await giveSecret(scene);
  const watch = startWatch(scene.stage.victim.pid, secrets);

  for (let push = 0; push < MOST_PUSHES && !watch.hasSeen(KINDS); push += 1) {
    await Promise.all([scene.forge.push("good"), scene.github.push("good")]);
    await giveSecret(scene);
  }
  const { found, seen } = await watch.stop();
  const log = await readFile(join(scene.stage.folder, "platform.log"), "utf8");

  t.deepEqual(found, []);
  t.deepEqual([...seen].sort(), [...KINDS].sort());
  t.deepEqual(findSecrets(log, secrets), [], "in the log");
});

test("a secret in an argument or in the environment of a process is found", async (t) => {
  const secrets = new Map([["the canary", FUNCTION_SECRET]]);
  const watch = startWatch(process.pid, secrets);

  const children = [
    spawn("sleep", ["60", FUNCTION_SECRET].slice(0, 1), { env: { CANARY: FUNCTION_SECRET } }),
    spawn(process.execPath, ["-e", "setTimeout(() => {}, 60_000)", FUNCTION_SECRET]),
  ];
  while (!watch.hasFound(2)) await sleep(20);
  for (const child of children) child.kill("SIGKILL");
  await Promise.all(children.map((child) => once(child, "exit")));
  const { found } = await watch.stop();

  t.regex(found.join("\n"), /the canary is in the environment of sleep/);
  t.regex(found.join("\n"), /the canary is in the arguments of .*node/);
});

/** Every secret of the platform, by its name, and what the pushes and the function need. */
async function listSecrets({ stage }: Scene): Promise<ReadonlyMap<string, string>> {
  const folder = join(stage.dataFolder, "secrets");
  const names = (await readdir(folder)).filter((name) => name !== "basic-auth-user");
  const texts = await Promise.all(
    names.map(async (name) => [name, await readFile(join(folder, name), "utf8")] as const),
  );
  return new Map([
    // Of a key in PEM a line from its middle: the first ones are the same in all.
    ...texts.map(
      ([name, text]) =>
        [
          name,
          text
            .trim()
            .split("\n")
            .at(text.includes("BEGIN") ? 5 : 0) ?? "",
        ] as const,
    ),
    ["alice's push token", stage.tokenOf("forge", "alice")],
    ["carol's push token", stage.tokenOf("github", "carol")],
    ["the function's secret", FUNCTION_SECRET],
  ]);
}

/** A push takes it away again: its stack.yml knows nothing of it. */
async function giveSecret({ stage }: Scene): Promise<void> {
  const system = await openSystem(stage);
  const shown = await system.show("alice-shop-two");
  if (shown.secrets.length > 0) return;
  await system.createSecret("canary", FUNCTION_SECRET).catch((error: unknown) => {
    if (!/409|exists/.test(String(error))) throw error;
  });
  await system.putBack("alice-shop-two", { ...shown, secrets: ["canary"] });
}

function startWatch(root: number, secrets: ReadonlyMap<string, string>) {
  const found = new Set<string>();
  const seen = new Set<Kind>();
  let stopped = false;
  const watching = (async () => {
    while (!stopped) {
      const running = listDescendants(root);
      for (const one of running) seen.add(kindOf(one));
      for (const breach of (await Promise.all(running.map((one) => findIn(one, secrets)))).flat())
        found.add(breach);
      await sleep(1);
    }
  })();
  return {
    hasSeen: (kinds: readonly Kind[]) => kinds.every((kind) => seen.has(kind)),
    hasFound: (count: number) => found.size >= count,
    async stop() {
      stopped = true;
      await watching;
      return { found: [...found], seen };
    },
  };
}

async function findIn(
  { pid, words }: Running,
  secrets: ReadonlyMap<string, string>,
): Promise<string[]> {
  // A process that ended meanwhile has none; those of others, as root's for a user, cannot be read.
  const environment = await readFile(`/proc/${pid}/environ`, "latin1").catch(() => "");
  const name = words.slice(0, 60);
  return [
    ...findSecrets(words, secrets).map((what) => `${what} is in the arguments of ${name}`),
    ...findSecrets(environment, secrets).map((what) => `${what} is in the environment of ${name}`),
  ];
}

function findSecrets(text: string, secrets: ReadonlyMap<string, string>): string[] {
  const known = [...secrets].filter(([, value]) => text.includes(value)).map(([name]) => name);
  return TOKEN.test(text) ? [...known, "a token"] : known;
}
