import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Env } from "#sdk/env.ts";

/** Names of the variables a config reader asks for, sorted. */
export function variablesOf(readConfig: (env: Env) => unknown, env: Env = {}): string[] {
  const names = new Set<string>();
  const spy = new Proxy(env, {
    get(target, name) {
      if (typeof name === "string") names.add(name);
      return Reflect.get(target, name);
    },
  });
  readConfig(spy);
  return [...names].sort();
}

/** Names in the first column of the table under "Variables" in a room's README, sorted. */
export async function variablesInReadme(room: string): Promise<string[]> {
  const text = await readFile(join(import.meta.dirname, "../..", room, "README.md"), "utf8");
  const [, section = ""] = /\n## Variables\n([\s\S]*?)(?=\n## |$)/.exec(text) ?? [];
  return [...section.matchAll(/^\| `(\w+)`/gm)].map(([, name = ""]) => name).sort();
}
