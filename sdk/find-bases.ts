/** An image from outside that a Dockerfile names, where it names it. */
export type FoundBase = {
  /** Position in the text of what is written there. */
  readonly start: number;
  readonly written: string;
  /** With its arguments put in; absent when that cannot be told before the build. */
  readonly reference?: string;
};

type Args = Readonly<Record<string, string>>;
type Instruction = { readonly start: number; readonly text: string };
type Place = { readonly start: number; readonly written: string };

const REFERENCE = /^\w(?:[\w.:/-]{0,254}\w)?(?:@sha256:[0-9a-f]{64})?$/;
/** Values that are made of values grow fast; no reference is as long. */
const LONGEST_VALUE = 1_024;
/** Known to the frontend alone. */
const PLATFORM_ARG = /^(?:TARGET|BUILD)(?:PLATFORM|OS|ARCH|VARIANT)$/;

/**
 * Find the images that a Dockerfile is built on: in `FROM`, `COPY --from` and `RUN --mount=from`, stages left
 * out. What the frontend would run later (`ONBUILD`), and files written in the Dockerfile itself, hold none.
 */
export function findBases(text: string, buildArgs: Args): readonly FoundBase[] {
  const stages = new Set(["scratch"]);
  const values = new Map<string, string | undefined>();
  const found: FoundBase[] = [];
  let isInStage = false;
  for (const instruction of readInstructions(text)) {
    if (!isInStage) readArg(instruction.text, buildArgs, values);
    for (const place of findPlaces(instruction)) {
      const isFrom = /^FROM\s/i.test(instruction.text);
      const name = isFrom ? expand(place.written, values) : place.written;
      if (name !== undefined && isStage(name, stages)) continue;
      const isReference = name !== undefined && REFERENCE.test(name);
      found.push({ ...place, ...(isReference ? { reference: name } : {}) });
    }
    if (!/^FROM\s/i.test(instruction.text)) continue;
    isInStage = true;
    const [, stage] = /^FROM\s+(?:--\S+\s+)*\S+\s+AS\s+(\S+)/i.exec(instruction.text) ?? [];
    if (stage !== undefined) stages.add(stage.toLowerCase());
  }
  return found;
}

/** References that a registry or a store can be asked for, each once; those with a digest need no answer. */
export function listBases(text: string, buildArgs: Args): readonly string[] {
  const names = findBases(text, buildArgs).flatMap(({ reference }) => reference ?? []);
  return [...new Set(names)].filter((name) => !name.includes("@")).sort();
}

/** The same Dockerfile with a digest behind each reference that has one. */
export function writeDigests(
  text: string,
  buildArgs: Args,
  digestOf: (reference: string) => string | undefined,
): string {
  let written = "";
  let end = 0;
  for (const { start, written: old, reference } of findBases(text, buildArgs)) {
    const digest = reference === undefined ? undefined : digestOf(reference);
    if (digest === undefined || reference?.includes("@")) continue;
    written += `${text.slice(end, start)}${reference}@${digest}`;
    end = start + old.length;
  }
  return written + text.slice(end);
}

/** Whole instructions with their continuations, without the texts of here-documents. */
function readInstructions(text: string): Instruction[] {
  const continuation = /^(?:#[^\n]*\n)*?#\s*escape\s*=\s*`/i.test(text) ? "`" : "\\";
  const found: Instruction[] = [];
  const open: string[] = [];
  let begun: Instruction | undefined;
  let start = 0;
  for (const line of text.split(/(?<=\n)/)) {
    const bare = line.trim();
    if (open.length > 0) {
      if (bare === open[0]) open.shift();
    } else if (begun !== undefined || (bare !== "" && !bare.startsWith("#"))) {
      // A comment between continuations is none of them.
      const isSkipped = begun !== undefined && (bare === "" || bare.startsWith("#"));
      const indent = begun === undefined ? line.length - line.trimStart().length : 0;
      begun = {
        start: begun?.start ?? start + indent,
        text: (begun?.text ?? "") + line.slice(indent),
      };
      if (!isSkipped && !bare.endsWith(continuation)) {
        found.push(begun);
        open.push(...delimitersOf(begun.text));
        begun = undefined;
      }
    }
    start += line.length;
  }
  return begun === undefined ? found : [...found, begun];
}

function delimitersOf(instruction: string): string[] {
  if (!/^(?:RUN|COPY|ADD)\s/i.test(instruction)) return [];
  const found = instruction.matchAll(/(?:^|\s)\d?<<-?(["']?)([\w.-]+)\1/g);
  return [...found].map(([, , name = ""]) => name);
}

function findPlaces({ start, text }: Instruction): Place[] {
  const at = (match: RegExpMatchArray | null) => {
    const [, before = "", written = ""] = match ?? [];
    return match === null ? [] : [{ start: start + (match.index ?? 0) + before.length, written }];
  };
  if (/^FROM\s/i.test(text)) return at(/^(FROM\s+(?:--\S+\s+)*)(\S+)/i.exec(text));
  if (/^(?:COPY|ADD)\s/i.test(text))
    return at(/^((?:COPY|ADD)\s+(?:--\S+\s+)*?--from=)(\S+)/i.exec(text));
  const flags = /^RUN\s+(?:--\S+\s+)*/i.exec(text)?.[0] ?? "";
  return [...flags.matchAll(/(--mount=(?:[^\s,]+,)*from=)([^\s,]+)/g)].flatMap(at);
}

/** `ARG A=1 B="2"` before the first stage. */
function readArg(
  instruction: string,
  buildArgs: Args,
  values: Map<string, string | undefined>,
): void {
  const [, rest] = /^ARG\s+(.*)$/is.exec(instruction) ?? [];
  for (const [, name = "", , value] of rest?.matchAll(/(\w+)(=("[^"]*"|'[^']*'|\S*))?/g) ?? []) {
    const unquoted = value?.replace(/^(["'])(.*)\1$/s, "$2") ?? "";
    values.set(name, Object.hasOwn(buildArgs, name) ? buildArgs[name] : expand(unquoted, values));
  }
}

/** `undefined` when a value is not known here, or the word is more than a name with variables. */
function expand(word: string, values: ReadonlyMap<string, string | undefined>): string | undefined {
  let isKnown = true;
  const expanded = word.replaceAll(
    /\$(?:(\w+)|\{(\w+)(?:(:?[-+])([^${}]*))?\})/g,
    (_, plain: string | undefined, braced: string | undefined, how = "", other = "") => {
      const name = plain ?? braced ?? "";
      const value = values.get(name);
      if (PLATFORM_ARG.test(name) || (values.has(name) && value === undefined)) isKnown = false;
      const isSet = how.startsWith(":") ? value !== undefined && value !== "" : value !== undefined;
      if (how.endsWith("-")) return isSet ? (value ?? "") : other;
      if (how.endsWith("+")) return isSet ? other : "";
      return value ?? "";
    },
  );
  const isWhole = isKnown && expanded.length <= LONGEST_VALUE;
  return isWhole && !/[$"'\\`]/.test(expanded) ? expanded : undefined;
}

/** Stages are known by name, and by number too. */
function isStage(name: string, stages: ReadonlySet<string>): boolean {
  return stages.has(name.toLowerCase()) || /^\d+$/.test(name);
}
