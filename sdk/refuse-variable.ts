/**
 * Variables that decide which code a program loads before its own first line. The rest of `PYTHON*` and
 * `NODE_*` (`PYTHONUNBUFFERED`, `NODE_ENV`) is the function's own affair.
 */
const LOADER_VARIABLES =
  /^(LD_.*|DYLD_.*|GLIBC_TUNABLES|GCONV_PATH|LOCPATH|MALLOC_TRACE|BASH_ENV|SHELLOPTS|BASHOPTS|IFS|PS4|NODE_OPTIONS|NODE_PATH|NODE_REPL_EXTERNAL_MODULE|PYTHONHOME|PYTHONPATH|PYTHONSTARTUP)$/;

/** Why a function's variable cannot have this name, or `undefined` when it can; the same on push and deploy. */
export function refuseVariable(name: string): string | undefined {
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,254}$/.test(name))
    return 'is not a variable\'s name (letters, digits and "_", not a digit first)';
  if (name.startsWith("__")) return 'begins with "__", which is kept for the platform';
  if (LOADER_VARIABLES.test(name)) return "decides what a program loads and cannot be set";
  return undefined;
}
