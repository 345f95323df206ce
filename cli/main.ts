import { resolve } from "node:path";
import { Command, Option } from "commander";
import { describe, errorCode } from "#sdk/errors.ts";
import { COMMANDS, type CommandEntry } from "./command-table.ts";
import { RELEASE } from "./platform/release.ts";
import { createTerminal } from "./terminal.ts";

const project = resolve(import.meta.dirname, "..");
const terminal = createTerminal(process.stdout);
// `ofc config | head` closes the pipe when it has seen enough.
process.stdout.on("error", (error) => {
  if (errorCode(error) === "EPIPE") process.exit(0);
  throw error;
});
const note = (text: string) => void process.stderr.write(`${text}\n`);

const program = new Command("ofc")
  .description("git push becomes live functions, on one machine.")
  .version(RELEASE.release, "--version", "print the release")
  .usage("<command> [options]")
  .helpCommand("help [command]", "options and examples of one command")
  .configureHelp({
    subcommandTerm: (command) =>
      `${command.name()} ${command.usage().replace(/\[options\] ?/, "")}`.trim(),
  })
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "ofc: ")) })
  .showHelpAfterError("./ofc help lists the commands.")
  .addHelpText(
    "after",
    formatExamples([
      ["demo", "the whole platform with an example pushed through it"],
      ["up", "the platform, for the long run"],
      ["token alice", "a URL that alice can push to"],
      ["logs alice-cart --follow", "what a function prints"],
    ]),
  );

for (const entry of COMMANDS) addCommand(entry);
await program.parseAsync();

function addCommand({ usage, summary, more, options, examples, load }: CommandEntry): void {
  const command = program
    .command(usage)
    .summary(summary)
    .description(`${summary[0]?.toUpperCase()}${summary.slice(1)}. ${more ?? ""}`.trim())
    .addOption(
      new Option("--data <dir>", "data folder")
        .default(resolve(project, ".ofc"), ".ofc beside the launcher")
        .argParser((dir) => resolve(dir)),
    );
  for (const option of options) command.addOption(option);
  command
    .addHelpText("after", formatExamples(examples))
    .showHelpAfterError(
      `${formatExamples(examples)}\n\n./ofc help ${command.name()} says more.`.trimStart(),
    )
    .action(async () => {
      const given = command.processedArgs as (string | string[] | undefined)[];
      const argument =
        given.length > 1 ? given.flat().filter((one) => one !== undefined) : given[0];
      try {
        const run = await load();
        await run({ argument, options: command.opts(), project, terminal, note, env: process.env });
      } catch (error) {
        note(`ofc ${command.name()}: ${describe(error)}`);
        process.exitCode = 1;
      }
    });
}

function formatExamples(examples: CommandEntry["examples"]): string {
  const width = Math.max(...examples.map(([typed]) => typed.length));
  const lines = examples.map(([typed, does]) => `  ./ofc ${typed.padEnd(width)}   ${does}`);
  return `\nExamples:\n${lines.join("\n")}`;
}
