import { existsSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Whether the watchdog takes requests: by its own word, and by the lock file where one is kept. */
export type Acceptance = {
  begin(): void;
  end(): void;
  holds(): boolean;
};

/** `<temporary folder>/.lock` while accepting; without `lockFile` only the watchdog's word counts. */
export function createAcceptance(lockFile: boolean, path = join(tmpdir(), ".lock")): Acceptance {
  let accepting = false;

  return {
    begin() {
      if (lockFile) writeFileSync(path, "", { mode: 0o660 });
      accepting = true;
    },
    end() {
      accepting = false;
      if (lockFile) rmSync(path, { force: true });
    },
    holds: () => accepting && (!lockFile || existsSync(path)),
  };
}
