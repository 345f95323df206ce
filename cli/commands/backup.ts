import { resolve } from "node:path";
import { formatBytes } from "#sdk/format-bytes.ts";
import { backUp } from "../backup/back-up.ts";
import { restore as restoreFrom } from "../backup/restore.ts";
import { type CommandContext, textArgument } from "../context.ts";

/** Copy what cannot be made again into one file. */
export async function backup(context: CommandContext): Promise<void> {
  const { terminal, options } = context;
  const report = await backUp({
    dataFolder: options.data,
    file: fileArgument(context),
    say: (text) => (options.json ? undefined : terminal.line(text)),
  });
  if (options.json) return terminal.json(report);
  const { file, sizeBytes, dataBytes } = report;
  terminal.line(terminal.good(`${file}  ${formatBytes(sizeBytes)} of ${formatBytes(dataBytes)}`));
  terminal.line("It holds every secret of the platform: keep it where only you can read it.");
}

/** Make a data folder from such a file. */
export async function restore(context: CommandContext): Promise<void> {
  const { terminal, options } = context;
  const report = await restoreFrom({
    dataFolder: options.data,
    file: fileArgument(context),
    say: (text) => (options.json ? undefined : terminal.line(text)),
  });
  if (options.json) return terminal.json(report);
  terminal.line(terminal.good(`${report.dataFolder} is as it was at ${report.createdAt}`));
  terminal.line(`Start it with: ./ofc up --data ${report.dataFolder}`);
}

/** A pipe cannot be taken back when half of it is written, nor be compared with its manifest first. */
function fileArgument(context: CommandContext): string {
  const file = textArgument(context);
  if (file !== "-") return resolve(file);
  throw new Error(
    '"-" is not a file: a backup is whole or not there, which a pipe cannot be. Name a file, and pipe that.',
  );
}
