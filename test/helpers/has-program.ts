import { findProgram } from "#sdk/find-program.ts";

/** Whether a test that needs the program can run here; the title of one that cannot names it. */
export function hasProgram(name: string): boolean {
  return findProgram(name, process.env.PATH ?? "") !== undefined;
}
