/** What a Dockerfile may mean; more rather than less, see scanDockerfile. */
export type DockerfileScan = {
  /** References after FROM, `--from=` and `from=`, with their variables put in. Names of stages are among them. */
  readonly images: readonly string[];
  /** Of FROM, with variables that cannot be told here. */
  readonly unclear: readonly string[];
  /** Frontends that `# syntax=` asks for. */
  readonly syntaxes: readonly string[];
  /** Sources of ADD that are, or may become, addresses. */
  readonly remotes: readonly string[];
};

const MOST_VALUES = 256;
const VARIABLE = /\$\{(\w+)(?::?[-+]([^${}]*))?\}|\$(\w+)/;
const SYNTAX = /^\s*(?:#|\/\/)\s*syntax\s*=\s*(\S+)/gim;
const ADDRESS = /^(?:https?|ftp|git|ssh):|^[\w.-]+@|^github\.com\//i;

/**
 * Find what a Dockerfile reaches for. It is no parser but looks at more than any version of the frontend
 * would take for an instruction (each line as a beginning, here-documents read as instructions, both escape
 * characters, quotes removed), so that nothing hides where two versions read differently.
 */
export function scanDockerfile(
  text: string,
  buildArgs: Readonly<Record<string, string>>,
): DockerfileScan {
  const instructions = readInstructions(text);
  const values = collectValues(instructions, buildArgs);
  const froms = instructions
    .filter((one) => /^from\s/i.test(one))
    .flatMap((one) => wordsOf(one, 1));
  const mounts = instructions.flatMap((one) =>
    [...clean(one).matchAll(/\bfrom=([^\s,]+)/gi)].map(([, name = ""]) => name),
  );
  const unclear = froms.filter((name) => expand(name, values) === undefined);
  return {
    images: [...new Set([...froms, ...mounts].flatMap((name) => expand(name, values) ?? []))],
    unclear: [...new Set(unclear)],
    syntaxes: [...text.matchAll(SYNTAX)].map(([, name = ""]) => name),
    remotes: [...new Set(instructions.flatMap(findRemotes))],
  };
}

/** The text from each line on, to the end of its continuations; comments and blank lines between are skipped. */
function readInstructions(text: string): string[] {
  const found: string[] = [];
  let after = "";
  for (const line of text.split(/\r?\n/).reverse()) {
    const continued = /^(.*)[\\`][ \t]*$/s.exec(line)?.[1];
    const isSkipped = line.trim() === "" || /^\s*#/.test(line);
    if (!isSkipped) after = continued === undefined ? line : continued + after;
    found.push(isSkipped ? "" : after.trimStart());
  }
  return found.filter((one) => one !== "");
}

/** Every value that any ARG gives, or the caller. */
function collectValues(
  instructions: readonly string[],
  buildArgs: Readonly<Record<string, string>>,
): ReadonlyMap<string, ReadonlySet<string>> {
  const values = new Map<string, Set<string>>();
  const add = (name: string, value: string) =>
    values.set(name, (values.get(name) ?? new Set()).add(value));
  for (const [name, value] of Object.entries(buildArgs)) add(name, value);
  for (const one of instructions.filter((one) => /^arg\s/i.test(one)))
    for (const word of wordsOf(one, 1)) {
      const [, name = "", value = ""] = /^(\w+)=(.*)$/s.exec(word) ?? [];
      if (name !== "") add(name, value);
    }
  return values;
}

/** All that a word may become; `undefined` when that cannot be told. */
function expand(
  word: string,
  values: ReadonlyMap<string, ReadonlySet<string>>,
): readonly string[] | undefined {
  let words: readonly string[] = [word];
  for (let depth = 0; words.some((one) => one.includes("$")); depth++) {
    const next = words.flatMap((one) => putIn(one, values));
    if (depth > 10 || next.length > MOST_VALUES || next.some((one) => /\$(?![\w{])/.test(one)))
      return undefined;
    if (next.every((one, index) => one === words[index])) return undefined;
    words = next;
  }
  return words;
}

/** Replace a word's first variable by each of its values, its default, and nothing. */
function putIn(word: string, values: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const match = VARIABLE.exec(word);
  if (match === null) return [word];
  const [whole, braced, alternative = "", plain] = match;
  const known = values.get(braced ?? plain ?? "") ?? [];
  return [...new Set([...known, alternative, ""])].map((value) => word.replace(whole, () => value));
}

function findRemotes(instruction: string): string[] {
  if (!/^(?:onbuild\s+)*add\s/i.test(instruction)) return [];
  const words = wordsOf(instruction.replaceAll(/[[\],]/g, " "), 0).filter(
    (word) => !/^(?:add|onbuild)$/i.test(word),
  );
  const isVariable = (word: string) => word.includes("$") && !/^\.?\//.test(word);
  // The last one is where it goes.
  return words.filter(
    (word, index) => ADDRESS.test(word) || (index < words.length - 1 && isVariable(word)),
  );
}

function wordsOf(instruction: string, from: number): string[] {
  return clean(instruction)
    .split(/\s+/)
    .slice(from)
    .filter((word) => word !== "" && !word.startsWith("--"));
}

/** Quotes and escapes do not change what is meant. */
function clean(text: string): string {
  return text.replaceAll(/["'\\`]/g, "");
}
