import { refuseVariable } from "#sdk/refuse-variable.ts";
import { refuseMany } from "./field-reader.ts";
import { quote, refuse, StackError } from "./stack-error.ts";

const COUNT_LIMIT = 500;
/** A single longer `KEY=value` cannot be given to a process on Linux. */
const BYTES_LIMIT = 96 * 1024;

/** Check a function's variables; `field` names the map in a StackError. */
export function parseEnvironment(
  field: string,
  variables: ReadonlyMap<string, string>,
): Readonly<Record<string, string>> {
  refuseMany(field, variables.size, COUNT_LIMIT);
  let bytes = 0;
  for (const [name, value] of variables) {
    refuseUnfit(field, name, value);
    bytes += Buffer.byteLength(name) + Buffer.byteLength(value) + 2;
  }
  if (bytes > BYTES_LIMIT)
    refuse(field, `${bytes} bytes`, `at most ${BYTES_LIMIT} fit; put large values into files`);
  return Object.fromEntries(variables);
}

function refuseUnfit(field: string, name: string, value: string): void {
  const reason = refuseVariable(name);
  if (reason !== undefined) throw new StackError(`${field}: the name ${quote(name)} ${reason}`);
  if (value.includes("\0")) refuse(`${field}.${name}`, value, "it must not hold a NUL character");
}
