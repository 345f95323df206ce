import { HttpError } from "#sdk/errors.ts";

/** Variables that decide which code a program loads before its own first line. */
const LOADER_VARIABLES =
  /^(LD_.*|DYLD_.*|GLIBC_TUNABLES|GCONV_PATH|LOCPATH|BASH_ENV|SHELLOPTS|BASHOPTS|IFS|PS4|NODE_OPTIONS|NODE_PATH|PYTHONHOME|PYTHONPATH|PYTHONSTARTUP)$/;

/** Throw `invalid` for a variable that cannot or may not be set. */
export function checkVariable(name: string, value: string): void {
  const why = refuseVariable(name, value);
  if (why !== undefined)
    throw new HttpError(400, "invalid", `envVars.${JSON.stringify(name).slice(1, -1)} ${why}.`);
}

function refuseVariable(name: string, value: string): string | undefined {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
    return "is not a variable's name (letters, digits and _, not a digit first)";
  if (name.startsWith("__")) return 'begins with "__", which is kept for the platform';
  if (LOADER_VARIABLES.test(name)) return "decides what a program loads; it cannot be set";
  if (value.includes("\0")) return "holds a NUL byte";
  return undefined;
}
