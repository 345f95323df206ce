import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { judgeGitVersion, readGitVersion } from "./git-version.ts";

const WARNED = ["2.32.0", "2.39.5", "2.42.9", "2.43.6", "2.48.1", "2.50.0", "2.47.2.windows.1"];
const FIXED = ["2.43.7", "2.44.4", "2.47.3", "2.49.1", "2.50.1", "2.51.0", "2.60.0-rc1", "3.0.0"];

for (const text of WARNED)
  test(`git ${text} is used with a warning that names the fixes`, (t) => {
    const { warning } = judgeGitVersion(`git version ${text}\n`);

    t.regex(warning ?? "", new RegExp(`^git ${text} is older than the fixes for CVE-2025-48384`));
  });

for (const text of FIXED)
  test(`git ${text} has the fixes`, (t) => {
    t.deepEqual(judgeGitVersion(`git version ${text} (Apple Git-154)\n`), { text });
  });

for (const text of ["2.31.8", "2.17.1", "1.8.3.1"])
  test(`git ${text} is refused: it reads the machine's configuration`, (t) => {
    t.throws(() => judgeGitVersion(`git version ${text}\n`), {
      message: `git ${text} is too old; install 2.32.0 or newer.`,
    });
  });

test("something else that calls itself git is refused with what it printed", (t) => {
  t.throws(() => judgeGitVersion("hub version 2\n"), {
    message: 'git --version printed "hub version 2".',
  });
});

test("the git on the PATH is asked, and none is told with what to do", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "git-version-"));
  t.teardown(() => rm(folder, { recursive: true }));
  await t.throwsAsync(readGitVersion(folder), { message: /git cannot be started; install it/ });
  await writeFile(join(folder, "git"), "#!/bin/sh\necho git version 2.20.1\n");
  await chmod(join(folder, "git"), 0o755);

  await t.throwsAsync(readGitVersion(folder), { message: /git 2\.20\.1 is too old/ });
});
