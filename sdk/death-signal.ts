import { findProgram, STANDARD_PATH } from "./find-program.ts";

export type Command = { readonly file: string; readonly args: readonly string[] };

/** The same command, killed by Linux when this process dies, however that comes; unchanged on other systems. */
export function withDeathSignal(command: Command): Command {
  const guard = process.platform === "linux" ? findProgram("setpriv", STANDARD_PATH) : undefined;
  if (guard === undefined) return command;
  return { file: guard, args: ["--pdeathsig", "KILL", "--", command.file, ...command.args] };
}
