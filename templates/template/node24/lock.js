// Health of this process: accepting, and its lock file (where one is kept) still there.

const { existsSync, rmSync, writeFileSync } = require("node:fs");
const { tmpdir } = require("node:os");
const { join } = require("node:path");

function createLock({ lockFile }) {
  const path = join(tmpdir(), ".lock");
  let accepting = false;

  return {
    write() {
      if (lockFile) writeFileSync(path, "", { mode: 0o660 });
      accepting = true;
    },
    remove() {
      accepting = false;
      if (lockFile) rmSync(path, { force: true });
    },
    held: () => accepting && (!lockFile || existsSync(path)),
  };
}

module.exports = { createLock };
