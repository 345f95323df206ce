import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

export type GitVersion = {
  /** As git prints it: `2.39.5`. */
  readonly text: string;
  /** Why a newer one would be better, as a sentence; `undefined` when it has all fixes that are known here. */
  readonly warning?: string;
};

/** First release that leaves out the machine's and the user's configuration (`GIT_CONFIG_GLOBAL`). */
const OLDEST = [2, 32, 0] as const;
/**
 * By series, the first release with every fix up to CVE-2025-48384 (a carriage return in a submodule's path),
 * 48385 (bundle URIs) and 48386. Source: https://github.com/git/git/security/advisories/GHSA-vwqx-4fm8-6qc9
 */
const FIXED: Readonly<Record<number, number>> = {
  43: 7,
  44: 4,
  45: 4,
  46: 4,
  47: 3,
  48: 2,
  49: 1,
  50: 1,
};
const NEWEST_SERIES = 50;

/** The git on the PATH. Throws when there is none, or one that cannot be kept from the machine's configuration. */
export async function readGitVersion(path: string | undefined): Promise<GitVersion> {
  const env = path === undefined ? {} : { PATH: path };
  const { stdout } = await run("git", ["--version"], { env }).catch((cause: unknown) => {
    throw new Error("git cannot be started; install it (apt-get install git)", { cause });
  });
  return judgeGitVersion(stdout);
}

/** What `git --version` prints: `git version 2.39.5 (Apple Git-154)`. */
export function judgeGitVersion(printed: string): GitVersion {
  const [, text = "", major = "", minor = "", patch = "0"] =
    /^git version ((\d+)\.(\d+)(?:\.(\d+))?\S*)/.exec(printed) ?? [];
  if (text === "")
    throw new Error(`git --version printed ${JSON.stringify(printed.trim().slice(0, 100))}.`);
  const version = [Number(major), Number(minor), Number(patch)] as const;
  if (isOlder(version, OLDEST))
    throw new Error(`git ${text} is too old; install ${OLDEST.join(".")} or newer.`);
  if (isFixed(version)) return { text };
  return {
    text,
    warning: `git ${text} is older than the fixes for CVE-2025-48384 and its like (2.43.7, 2.50.1 and others), unless its packager has put them in; nothing that a repository holds is checked out here, an update is advised all the same`,
  };
}

type Version = readonly [number, number, number];

function isFixed([major, minor, patch]: Version): boolean {
  if (major > 2 || minor > NEWEST_SERIES) return true;
  const fixed = FIXED[minor];
  return fixed !== undefined && patch >= fixed;
}

function isOlder(version: Version, than: Version): boolean {
  const at = version.findIndex((number, index) => number !== than[index]);
  return at >= 0 && (version[at] ?? 0) < (than[at] ?? 0);
}
