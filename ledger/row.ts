import type { z } from "zod";
import type { Row } from "./database.ts";

/** Columns as types; a column that holds something else is a damaged or foreign ledger. */
export function text(row: Row, column: string): string {
  const value = row[column];
  return typeof value === "string" ? value : refuse(column, "a text", value);
}

export function integer(row: Row, column: string): number {
  const value = row[column];
  return typeof value === "number" && Number.isSafeInteger(value)
    ? value
    : refuse(column, "an integer", value);
}

export function flag(row: Row, column: string): boolean {
  return integer(row, column) !== 0;
}

/** `undefined` for NULL. */
export function optionalText(row: Row, column: string): string | undefined {
  return row[column] === null ? undefined : text(row, column);
}

/** `undefined` for NULL. */
export function optionalInteger(row: Row, column: string): number | undefined {
  return row[column] === null ? undefined : integer(row, column);
}

export function oneOf<Word extends string>(row: Row, column: string, words: readonly Word[]): Word {
  const value = row[column];
  return (
    words.find((word) => word === value) ?? refuse(column, `one of ${words.join(", ")}`, value)
  );
}

/** JSON of a shape. */
export function json<T>(row: Row, column: string, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(JSON.parse(text(row, column)));
  return parsed.success ? parsed.data : refuse(column, parsed.error.message, row[column]);
}

function refuse(column: string, expected: string, value: unknown): never {
  throw new Error(
    `Ledger: column ${column} holds ${JSON.stringify(value)?.slice(0, 200)}; expected ${expected}`,
  );
}
