import type { TerminalBuildState } from "#sdk/messages.ts";

export type FunctionFailure = { readonly name: string; readonly reason: string };

/** An end that no further attempt would change; the message is the reason the commit shows. */
export class BuildFailed extends Error {
  override readonly name = "BuildFailed";
  readonly state: TerminalBuildState;
  /** Which functions failed, when it is about functions. */
  readonly failures: readonly FunctionFailure[];

  constructor(
    state: TerminalBuildState,
    reason: string,
    failures: readonly FunctionFailure[] = [],
  ) {
    super(reason);
    this.state = state;
    this.failures = failures;
  }
}
