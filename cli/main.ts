import { resolve } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { describe } from "#sdk/errors.ts";
import type { CommandContext } from "./context.ts";
import { createTerminal } from "./terminal.ts";

const project = resolve(import.meta.dirname, "..");
const terminal = createTerminal(process.stdout);
const program = new Command("ofc")
  .description("git push becomes live functions, on one machine.")
  .helpCommand("help [command]", "words about one command")
  .showHelpAfterError("(./ofc help lists the commands)")
  .addHelpText(
    "after",
    `
Examples:
  ./ofc demo                     the whole platform with an example pushed through it
  ./ofc up                       the platform, for the long run
  ./ofc token alice              a URL that alice can push to
  ./ofc logs alice-cart --follow what a function prints`,
  );

const dataOption = new Option("--data <dir>", "data folder")
  .default(resolve(project, ".ofc"), ".ofc beside the launcher")
  .argParser((dir) => resolve(dir));
const portOption = new Option("--port <number>", "port of the gateway")
  .default(8080)
  .argParser(parsePort);
const engineOption = new Option("--engine <kind>", "where functions run")
  .choices(["auto", "process", "docker"])
  .default("auto");
const jsonOption = new Option("--json", "for programs");
const limitOption = new Option("--limit <number>", "newest first")
  .default(20)
  .argParser(parseCount);

add(
  "up",
  "run the platform in the foreground",
  [portOption, engineOption],
  async () => (await import("./commands/up.ts")).up,
);
add(
  "demo",
  "run the platform, push examples/shop through it, call its functions",
  [portOption, engineOption],
  async () => (await import("./commands/demo.ts")).demo,
);
add(
  "token <owner>",
  "print a URL that the owner can push to",
  [jsonOption],
  async () => (await import("./commands/token.ts")).token,
);
add(
  "remote <repository>",
  "add the remote to this repository, token in a credential helper; <owner>/<name>",
  [new Option("--name <remote>", "name of the remote").default("ofc")],
  async () => (await import("./commands/remote.ts")).remote,
);
add(
  "status [owner]",
  "functions and recent builds",
  [jsonOption],
  async () => (await import("./commands/status.ts")).status,
);
add(
  "builds [owner]",
  "recent builds, or one with --id",
  [limitOption, new Option("--id <build>", "one build, step by step"), jsonOption],
  async () => (await import("./commands/builds.ts")).builds,
);
add(
  "logs <function>",
  "what a function printed",
  [new Option("-f, --follow", "go on as it prints"), jsonOption],
  async () => (await import("./commands/logs.ts")).logs,
);
add(
  "cancel <build>",
  "stop a build that is not yet deploying",
  [jsonOption],
  async () => (await import("./commands/change.ts")).cancel,
);
add(
  "redeploy <target>",
  "deploy again: a function, <owner>/<repository>, or a build",
  [jsonOption],
  async () => (await import("./commands/change.ts")).redeploy,
);
add(
  "remove <target>",
  "stop and forget a function, or all of <owner>/<repository>",
  [jsonOption],
  async () => (await import("./commands/change.ts")).remove,
);
add(
  "queue",
  "waiting, running, dead letters",
  [new Option("--retry <id>", "try a dead letter again"), jsonOption],
  async () => (await import("./commands/queue.ts")).queue,
);
add(
  "deliveries",
  "webhook deliveries, each with its decision and reason",
  [limitOption, jsonOption],
  async () => (await import("./commands/deliveries.ts")).deliveries,
);
add(
  "doctor",
  "push a canary function through the whole road and say which step fails",
  [jsonOption],
  async () => (await import("./commands/doctor.ts")).doctor,
);
add(
  "config",
  "every value in force, its source, unit and default; no secrets",
  [jsonOption],
  async () => (await import("./commands/config.ts")).config,
);
add(
  "test [files...]",
  "run the tests (installs what they need first)",
  [],
  async () => (await import("./commands/test.ts")).test,
);

await program.parseAsync();

type CommandRun = (context: CommandContext) => Promise<void>;

/** One command; its code is loaded when it runs, so that the others start fast. */
function add(
  usage: string,
  summary: string,
  options: readonly Option[],
  load: () => Promise<CommandRun>,
): void {
  const command = program.command(usage).description(summary).addOption(dataOption);
  for (const option of options) command.addOption(option);
  command.action(async () => {
    const [argument] = command.processedArgs as (string | string[] | undefined)[];
    try {
      const run = await load();
      const note = (text: string) =>
        void process.stderr.write(`${text}
`);
      await run({ argument, options: command.opts(), project, terminal, note, env: process.env });
    } catch (error) {
      process.stderr.write(`ofc ${command.name()}: ${describe(error)}\n`);
      process.exitCode = 1;
    }
  });
}

function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new InvalidArgumentError("It is a number from 0 (any free port) to 65535.");
}

function parseCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= 1_000) return count;
  throw new InvalidArgumentError("It is a whole number from 1 to 1000.");
}
