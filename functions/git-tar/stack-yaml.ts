import { Composer, CST, type Document, isScalar, Lexer, Parser, Scalar, visit } from "yaml";
import { quote, StackError } from "./stack-error.ts";

/** YAML with every scalar as the text it was written as; `null`, `~` and nothing are `""`. */
export type YamlValue = string | readonly YamlValue[] | YamlMap;
export type YamlMap = ReadonlyMap<string, YamlValue>;

const LIMITS = { bytes: 512 * 1024, depth: 32, nodes: 20_000, aliases: 100 };
const NULL = /^(~|null|Null|NULL)$/;

/**
 * Read the first document of a YAML file, as a map, with limits on size, depth, nodes and aliases.
 * Duplicate keys and tags are refused; merge keys work. `file` names it in a StackError, the only
 * thing thrown.
 */
export function readYaml(text: string, file: string): YamlMap {
  const bytes = Buffer.byteLength(text);
  if (bytes > LIMITS.bytes)
    throw new StackError(`${file} is ${bytes} bytes; at most ${LIMITS.bytes} are read`);

  const document = compose(text, file);
  visit(document, {
    Scalar(_key, node) {
      if (node.type === Scalar.PLAIN && NULL.test(String(node.value))) node.value = "";
    },
    Map(_key, { items }) {
      refuseDuplicates(
        items.map(({ key }) => key),
        file,
      );
    },
  });
  const value = toValue(toPlain(document, file), file, { nodes: 0 });
  if (!(value instanceof Map)) throw new StackError(`${file} is not a map of fields`);
  return value;
}

function compose(text: string, file: string): Document {
  const options = {
    schema: "failsafe",
    merge: true,
    uniqueKeys: false,
    prettyErrors: true,
  } as const;
  try {
    const [document] = new Composer(options).compose(readTokens(text, file), true, text.length);
    const [error] = document?.errors ?? [];
    if (document === undefined) throw new StackError(`${file} is empty`);
    if (error !== undefined) throw error;
    return document;
  } catch (error) {
    throw asStackError(error, file);
  }
}

/** The parser's tokens, counted while they are made: composing recurses, this does not. */
function* readTokens(text: string, file: string): ReturnType<Parser["parse"]> {
  const parser = new Parser();
  const check = createLexemeCheck(file);
  for (const lexeme of new Lexer().lex(text)) {
    check(lexeme);
    yield* parser.next(lexeme);
    if (parser.stack.length > LIMITS.depth)
      throw new StackError(`${file} is nested deeper than ${LIMITS.depth} levels`);
  }
  yield* parser.end();
}

function createLexemeCheck(file: string): (lexeme: string) => void {
  let [lexemes, aliases, isContent] = [0, 0, false];
  return (lexeme) => {
    const type = isContent ? "scalar" : CST.tokenType(lexeme);
    // The lexer announces the text of a plain or block scalar, which may begin with any character.
    isContent = lexeme === CST.SCALAR;
    if (++lexemes > LIMITS.nodes * 8)
      throw new StackError(`${file} holds more than ${LIMITS.nodes} values`);
    if (type === "alias" && ++aliases > LIMITS.aliases)
      throw new StackError(`${file} uses more than ${LIMITS.aliases} aliases`);
    if (type === "tag" && lexeme !== "!!str")
      throw new StackError(`${file} holds the tag ${quote(lexeme)}; tags are not read`);
  };
}

function refuseDuplicates(keys: readonly unknown[], file: string): void {
  const seen = new Set<unknown>();
  for (const key of keys) {
    const name = isScalar(key) ? key.value : key;
    if (seen.has(name) && name !== "<<")
      throw new StackError(`${file} holds the key ${JSON.stringify(name)} twice`);
    seen.add(name);
  }
}

function toPlain(document: Document, file: string): unknown {
  try {
    return document.toJS({ mapAsMap: true, maxAliasCount: LIMITS.aliases });
  } catch (error) {
    throw asStackError(error, file);
  }
}

/** Copy what the library made, with aliases written out; `seen` bounds what they may grow to. */
function toValue(plain: unknown, file: string, seen: { nodes: number }): YamlValue {
  if (++seen.nodes > LIMITS.nodes)
    throw new StackError(`${file} holds more than ${LIMITS.nodes} values`);
  if (Array.isArray(plain)) return plain.map((item: unknown) => toValue(item, file, seen));
  if (!(plain instanceof Map)) return plain === null || plain === undefined ? "" : String(plain);

  const map = new Map<string, YamlValue>();
  for (const [key, value] of plain) {
    if (typeof key !== "string") throw new StackError(`${file} holds a key that is not a text`);
    map.set(key, toValue(value, file, seen));
  }
  return map;
}

function asStackError(error: unknown, file: string): StackError {
  if (error instanceof StackError) return error;
  const message = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
  return new StackError(`${file} is not readable YAML: ${message.replace(/:$/, "")}`, {
    cause: error,
  });
}
