/** What starts a program: Node's functions, and ours around them. */
const STARTERS =
  "spawn|spawnSync|execFile|execFileSync|fork|runProgram|startProcess|runGit|startGit";
/** The one way in: named imports of functions that take a file and a list. */
const IMPORT =
  /import \{(?:\s*(?:type \w+|spawn|spawnSync|execFile|execFileSync|fork),?)+\s*\} from "node:child_process"/g;
const SECRET = /\w*(?:token|secret|passwo?r?d|credential|privateKey|apiKey|authorization)\w*/gi;

/** Breaches of "no shell, ever" in one file, as phrases. */
export function findShellBreaches(text: string): string[] {
  const code = withoutComments(text);
  const bare = withoutStrings(code);
  const checks: readonly (readonly [string, boolean])[] = [
    ["takes more of node:child_process than spawn, execFile and fork", hasOtherImport(code)],
    ["gives a program the option shell", /\bshell["']?\s*:/.test(bare)],
    [
      "starts a command line",
      new RegExp(`\\b(?:${STARTERS})\\(\\s*(["'\`])[^"'\`]*\\s`).test(code),
    ],
    [
      "starts a shell",
      new RegExp(`\\b(?:${STARTERS})\\(\\s*"[^"]*\\b(?:ba|da|z|k)?sh"`).test(code),
    ],
  ];
  return checks.filter(([, found]) => found).map(([what]) => what);
}

/** Names that tell of a secret among the arguments of what a file starts, sorted. */
export function findSecretsInArguments(text: string): string[] {
  const bare = withoutStrings(withoutComments(text));
  const calls = [...bare.matchAll(new RegExp(`(?<!function )\\b(?:${STARTERS})\\(`, "g"))].map(
    ({ index, 0: head }) => cutArguments(bare.slice(index + head.length)),
  );
  if (calls.length === 0) return [];
  // Lists that are put together elsewhere in the file: `args: […]`, `const args = […]`, `args.push(…)`.
  const lists = [...bare.matchAll(/\w*args\b[^\n=:(]*(?:[=:]|\.push\()\s*(?=[[(\w])/gi)].map(
    ({ index, 0: head }) => cutArguments(bare.slice(index + head.length)),
  );
  const names = [...calls, ...lists].flatMap((part) => part.match(SECRET) ?? []);
  return [...new Set(names)].sort();
}

function hasOtherImport(code: string): boolean {
  return /["'`](?:node:)?child_process["'`]/.test(code.replaceAll(IMPORT, ""));
}

const WORDS =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|(?<=[=(,:!&|?[{};\n]\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\\n[])+\/[a-z]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`/g;

function withoutComments(text: string): string {
  return text.replaceAll(WORDS, (word) => (/^\/[/*]/.test(word) ? "" : word));
}

/** Of a template what it puts in is kept; it is code. */
function withoutStrings(code: string): string {
  return code.replaceAll(WORDS, (word) =>
    word.startsWith("`") ? `[${(word.match(/(?<=\$\{)[^}]*/g) ?? []).join()}]` : '""',
  );
}

/** From behind the opening bracket of a call or list: the first two arguments; options come third. */
function cutArguments(rest: string): string {
  let depth = 0;
  let commas = 0;
  for (const [at, sign] of [...rest].entries()) {
    if ("([{".includes(sign)) depth += 1;
    if (")]}".includes(sign)) depth -= 1;
    if (sign === "," && depth === 0) commas += 1;
    if (depth < 0 || commas === 2 || (sign === ";" && depth === 0)) return rest.slice(0, at);
  }
  return rest;
}
