import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { CommandContext } from "../context.ts";

/** Run the tests: all of them, or the files named. The launcher has installed what they need. */
export async function test({ argument, project }: CommandContext): Promise<void> {
  const files = Array.isArray(argument) ? argument : [];
  const child = spawn(
    process.execPath,
    [join(project, "node_modules/ava/entrypoints/cli.js"), ...files],
    {
      cwd: project,
      stdio: "inherit",
    },
  );
  const [code] = await once(child, "exit");
  process.exitCode = typeof code === "number" ? code : 1;
}
