import { quote, refuse, StackError } from "./stack-error.ts";
import type { YamlMap, YamlValue } from "./stack-yaml.ts";
import { takeDefaults } from "./take-defaults.ts";

const NOTES_LIMIT = 100;

/** Reads fields by their path (`functions.cart.handler`) and collects what the pusher should know. */
export type FieldReader = {
  /** A scalar with the defaults of `${NAME:-default}` taken; `""` when absent. */
  text(field: string, value: YamlValue | undefined): string;
  /** Go and YAML 1.1 spellings of a boolean; `undefined` for any other text. */
  boolean(field: string, value: YamlValue | undefined): boolean | undefined;
  list(field: string, value: YamlValue | undefined): readonly string[];
  /** A map of texts, in the order written. */
  texts(field: string, value: YamlValue | undefined): ReadonlyMap<string, string>;
  map(field: string, value: YamlValue | undefined): YamlMap;
  note(text: string): void;
  readonly notes: readonly string[];
};

export function createFieldReader(): FieldReader {
  const notes: string[] = [];

  function text(field: string, value: YamlValue | undefined): string {
    if (value === undefined) return "";
    if (typeof value !== "string")
      throw new StackError(`${field} is ${kindOf(value)}; it must be a text`);
    const taken = takeDefaults(value);
    for (const variable of taken.open)
      note(
        `${field}: ${quote(variable)} is left as written; a push has no variables, only defaults`,
      );
    return taken.text;
  }

  function map(field: string, value: YamlValue | undefined): YamlMap {
    if (value === undefined || value === "") return new Map();
    if (value instanceof Map) return value;
    throw new StackError(`${field} is ${kindOf(value)}; it must be a map`);
  }

  function note(line: string): void {
    if (notes.length < NOTES_LIMIT) notes.push(line);
  }

  return {
    text,
    boolean: (field, value) => parseBoolean(text(field, value)),
    list(field, value) {
      if (value === undefined || value === "") return [];
      if (!Array.isArray(value))
        throw new StackError(`${field} is ${kindOf(value)}; it must be a list`);
      return value.map((item: YamlValue, index) => text(`${field}[${index}]`, item));
    },
    texts: (field, value) =>
      new Map([...map(field, value)].map(([key, item]) => [key, text(`${field}.${key}`, item)])),
    map,
    note,
    notes,
  };
}

function parseBoolean(value: string): boolean | undefined {
  if (/^(1|t|true|yes|y|on)$/i.test(value)) return true;
  return /^(0|f|false|no|n|off)$/i.test(value) ? false : undefined;
}

function kindOf(value: YamlValue): string {
  if (typeof value === "string") return quote(value);
  return value instanceof Map ? "a map" : "a list";
}

/** Refuse a list or map that grew beyond what a deployment may carry. */
export function refuseMany(field: string, count: number, limit: number): void {
  if (count > limit) refuse(field, String(count), `at most ${limit} entries are allowed`);
}
