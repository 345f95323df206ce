import { StackError } from "./stack-error.ts";

/** Whether a `.dockerignore` leaves a path out, `/`-separated and relative to the file's own folder. */
export type Ignores = (path: string) => boolean;

type Rule = { readonly parts: readonly string[]; readonly keeps: boolean };

const PART_LIMIT = 64;
const SET_LIMIT = 64;
/** Parts and characters compared for one file, all paths together; some tenths of a second. */
const WORK_LIMIT = 10_000_000;

type Work = { done: number };

/**
 * Read a `.dockerignore` by Docker's rules: patterns count from its folder, `**` spans folders, `!`
 * keeps, the last match wins. No regular expression is built from what an owner wrote: matching takes
 * time proportional to pattern times path, and altogether at most WORK_LIMIT; beyond it a StackError.
 */
export function parseDockerignore(text: string): Ignores {
  const rules = text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .flatMap(parseRule);
  const work: Work = { done: 0 };
  return (path) => {
    const parts = path.split("/");
    return rules.findLast((rule) => matchesPathOrFolder(rule.parts, parts, work))?.keeps === false;
  };
}

function parseRule(line: string): Rule[] {
  const text = line.trim();
  if (text === "" || line.startsWith("#")) return [];
  const keeps = text.startsWith("!");
  const parts = (keeps ? text.slice(1).trim() : text)
    .split("/")
    .filter((part) => part !== "" && part !== ".")
    .filter((part, index, all) => part !== "**" || all[index - 1] !== "**");
  return parts.length === 0 || parts.length > PART_LIMIT ? [] : [{ parts, keeps }];
}

/** A pattern that names a folder holds for all in it; on a mismatch it goes back to the last `**` only. */
function matchesPathOrFolder(
  pattern: readonly string[],
  path: readonly string[],
  work: Work,
): boolean {
  let [at, inPath, stars, retry] = [0, 0, -1, 0];
  while (inPath < path.length) {
    count(work);
    const wanted = pattern[at] ?? "";
    if (wanted === "**") {
      if (at === pattern.length - 1) return true;
      stars = at++;
      retry = inPath;
    } else if (matchesPart(wanted, path[inPath] ?? "", work)) {
      inPath++;
      if (++at === pattern.length) return true;
    } else if (stars >= 0) {
      at = stars + 1;
      inPath = ++retry;
    } else return false;
  }
  return false;
}

/** `*`, `?` and `\` inside one part, going back to the last `*` only. */
function matchesPart(pattern: string, text: string, work: Work): boolean {
  let [at, inText, star, retry] = [0, 0, -1, 0];
  while (inText < text.length) {
    count(work);
    if (pattern[at] === "*") {
      star = at++;
      retry = inText;
      continue;
    }
    const step = matchesOne(pattern, at, text[inText] ?? "", work);
    if (step > 0) {
      at += step;
      inText++;
    } else if (star >= 0) {
      at = star + 1;
      inText = ++retry;
    } else return false;
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}

function count(work: Work, steps = 1): void {
  work.done += steps;
  if (work.done > WORK_LIMIT)
    throw new StackError(".dockerignore takes too long to match; use fewer or simpler patterns");
}

/** How many characters of the pattern at `at` match this one; 0 for none. */
function matchesOne(pattern: string, at: number, character: string, work: Work): number {
  const wanted = pattern[at];
  if (wanted === undefined) return 0;
  if (wanted === "?") return 1;
  if (wanted === "\\" && at + 1 < pattern.length) return pattern[at + 1] === character ? 2 : 0;
  if (wanted === "[") return matchesSet(pattern, at, character, work);
  return wanted === character ? 1 : 0;
}

/** `[a-z]`, `[^a]`; one that is unclosed or longer than SET_LIMIT matches nothing. */
function matchesSet(pattern: string, at: number, character: string, work: Work): number {
  const end = pattern.slice(0, at + SET_LIMIT).indexOf("]", at + 2);
  if (end < 0) return 0;
  const inverted = pattern[at + 1] === "^" || pattern[at + 1] === "!";
  const members = pattern.slice(at + (inverted ? 2 : 1), end);
  count(work, members.length);
  let found = false;
  for (let i = 0; i < members.length; i++) {
    const from = members[i] ?? "";
    const isRange = members[i + 1] === "-" && i + 2 < members.length;
    const to = isRange ? (members[i + 2] ?? "") : from;
    if (isRange) i += 2;
    found ||= from <= character && character <= to;
  }
  return found === inverted ? 0 : end - at + 1;
}
