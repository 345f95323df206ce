import type { Fault, TerminalBuildState } from "#sdk/messages.ts";

export type FunctionFailure = { readonly name: string; readonly reason: string };

/** How a build ends; nothing skips a build that was accepted. */
export type Ending = {
  readonly state: Exclude<TerminalBuildState, "skipped">;
  /** What the commit shows; empty when it is live. */
  readonly reason: string;
  /** Which functions failed, when it is about functions. */
  readonly failures: readonly FunctionFailure[];
  readonly fault?: Fault;
};

export const LIVE: Ending = { state: "live", reason: "", failures: [] };

/** An end that no further attempt would change; the message is its reason. */
export class BuildFailed extends Error {
  override readonly name = "BuildFailed";
  readonly ending: Ending;

  constructor(
    state: Exclude<Ending["state"], "live">,
    reason: string,
    failures: readonly FunctionFailure[] = [],
    fault?: Fault,
  ) {
    super(reason);
    this.ending = { state, reason, failures, ...(fault && { fault }) };
  }
}
