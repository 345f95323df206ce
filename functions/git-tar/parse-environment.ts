import { refuseMany } from "./field-reader.ts";
import { quote, refuse, StackError } from "./stack-error.ts";

/** What Kubernetes and Docker both take as a variable's name. */
const NAME = /^[-._A-Za-z][-._A-Za-z0-9]{0,254}$/;
/** Variables that make a loader, Node or a shell run other code before the function starts. */
const LOADER =
  /^(LD_.*|DYLD_.*|GCONV_PATH|GLIBC_TUNABLES|MALLOC_TRACE|NODE_OPTIONS|NODE_PATH|NODE_REPL_EXTERNAL_MODULE|BASH_ENV|SHELLOPTS|BASHOPTS|PS4)$/;
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
    refuseVariable(field, name, value);
    bytes += Buffer.byteLength(name) + Buffer.byteLength(value) + 2;
  }
  if (bytes > BYTES_LIMIT)
    refuse(field, `${bytes} bytes`, `at most ${BYTES_LIMIT} fit; put large values into files`);
  return Object.fromEntries(variables);
}

function refuseVariable(field: string, name: string, value: string): void {
  if (!NAME.test(name))
    throw new StackError(
      `${field} has the name ${quote(name)}; a variable's name is letters, digits, "_", "-" and "."`,
    );
  if (LOADER.test(name))
    throw new StackError(`${field}.${name} is refused; it changes what runs before the function`);
  if (value.includes("\0")) refuse(`${field}.${name}`, value, "it must not hold a NUL character");
}
