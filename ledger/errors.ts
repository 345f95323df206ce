/** The claim is void: the build ended, was superseded or cancelled, or another worker has it. Stop. */
export class ClaimLost extends Error {
  override readonly name = "ClaimLost";
  readonly buildId: string;

  constructor(buildId: string) {
    super(
      `Build ${buildId} is no longer this worker's; it ended or was taken over. Stop working on it.`,
    );
    this.buildId = buildId;
  }
}

/** A function's name is held by someone else; by whom is nobody's business. */
export class NameTaken extends Error {
  override readonly name = "NameTaken";
  /** Deployed name, `<owner slug>-<function>`. */
  readonly service: string;

  constructor(service: string) {
    super(`Function name "${service}" is taken; rename the function in stack.yml and push again.`);
    this.service = service;
  }
}
