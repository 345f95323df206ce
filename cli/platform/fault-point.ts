/** `endBuild:after`, or `endBuild:after:3` for the third time it is passed. */
const FAULT = /^(\w+:(?:before|after))(?::([1-9]\d*))?$/;

/**
 * For fault tests: end this process with SIGKILL, as a crash would, when the named write of the ledger is
 * passed (`OFC_FAULT`). `undefined` when no fault is asked for; throws when the text names none.
 */
export function createFaultPoint(
  text: string | undefined,
  die: () => void = () => process.kill(process.pid, "SIGKILL"),
): ((point: string) => void) | undefined {
  if (text === undefined || text === "") return undefined;
  const [, wanted, nth = "1"] = FAULT.exec(text) ?? [];
  if (wanted === undefined)
    throw new Error(
      `OFC_FAULT is ${JSON.stringify(text)}; expected a write of the ledger such as "endBuild:after" or "endBuild:after:3".`,
    );

  let left = Number(nth);
  return (point) => {
    if (point !== wanted) return;
    left -= 1;
    if (left === 0) die();
  };
}
