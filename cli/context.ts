import type { Env } from "#sdk/env.ts";
import type { Terminal } from "./terminal.ts";

/** What every command is given. */
export type CommandContext = {
  /** The positional argument, already checked by the parser; a list where a command takes several. */
  readonly argument: string | readonly string[] | undefined;
  readonly options: CommandOptions;
  /** Folder of the launcher. */
  readonly project: string;
  readonly terminal: Terminal;
  /** A line for people on stderr, beside an answer that a program may read from stdout. */
  readonly note: (text: string) => void;
  readonly env: Env;
};

type CommandOptions = {
  readonly data: string;
  readonly port: number;
  readonly engine: "auto" | "process" | "docker";
  readonly json?: boolean;
  readonly follow?: boolean;
  readonly limit: number;
  readonly id?: string;
  readonly retry?: string;
  readonly name?: string;
  readonly withSecrets?: boolean;
  readonly refresh?: boolean;
};

/** The argument of a command that takes exactly one. */
export function textArgument({ argument }: CommandContext): string {
  return typeof argument === "string" ? argument : "";
}
