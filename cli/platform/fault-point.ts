/** `endBuild:after`, `endBuild:after:3`, `endBuild:full:3` */
const FAULT = /^(\w+):(before|after|full)(?::([1-9]\d*))?$/;

export type FaultTools = {
  readonly die: () => void;
  /** A write is about to fail for want of room. */
  readonly tell: (write: string) => void;
};

/**
 * For fault tests (`OFC_FAULT`): at the named write of the ledger end this process with SIGKILL, as a crash
 * would, just before or after its commit, the nth time; or have its first n commits fail as on a full disk.
 * `undefined` when no fault is asked for; throws when the text names none.
 */
export function createFaultPoint(
  text: string | undefined,
  { die, tell }: FaultTools,
): ((point: string) => void) | undefined {
  if (text === undefined || text === "") return undefined;
  const [, write, moment, count = "1"] = FAULT.exec(text) ?? [];
  if (write === undefined)
    throw new Error(
      `OFC_FAULT is ${JSON.stringify(text)}; expected a write of the ledger such as "endBuild:after", "endBuild:after:3" or "endBuild:full".`,
    );

  const isFull = moment === "full";
  const wanted = `${write}:${isFull ? "before" : moment}`;
  let left = Number(count);
  return (point) => {
    if (point !== wanted || left === 0) return;
    left -= 1;
    if (isFull) {
      tell(write);
      throw diskFull();
    }
    if (left === 0) die();
  };
}

/** As `node:sqlite` throws it: https://sqlite.org/rescode.html#full */
function diskFull(): Error {
  const text = "database or disk is full";
  return Object.assign(new Error(text), { code: "ERR_SQLITE_ERROR", errcode: 13, errstr: text });
}
