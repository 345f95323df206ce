import { styleText } from "node:util";
import { stripControls } from "#sdk/strip-controls.ts";

/** Where words for people go. Colours only when it is a terminal that wants them. */
export type Terminal = {
  line(text?: string): void;
  /** Rows under a bold header, columns as wide as their longest cell; says `empty` when there are none. */
  table(header: readonly string[], rows: readonly (readonly string[])[], empty: string): void;
  json(value: unknown): void;
  bold(text: string): string;
  dim(text: string): string;
  good(text: string): string;
  bad(text: string): string;
};

export function createTerminal(stream: NodeJS.WriteStream): Terminal {
  const colours = stream.isTTY === true && stream.hasColors();
  const paint = (style: Parameters<typeof styleText>[0], text: string) =>
    colours ? styleText(style, text, { validateStream: false }) : text;
  const line = (text = "") => void stream.write(`${text}\n`);

  return {
    line,
    json: (value) => line(JSON.stringify(value, undefined, 2)),
    bold: (text) => paint("bold", text),
    dim: (text) => paint("dim", text),
    good: (text) => paint("green", text),
    bad: (text) => paint("red", text),
    table(header, given, empty) {
      if (given.length === 0) return line(empty);
      const rows = given.map((row) => row.map(toCell));
      const widths = header.map((title, column) =>
        Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
      );
      const format = (row: readonly string[]) =>
        row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join("  ")
          .trimEnd();
      line(paint("bold", format(header)));
      for (const row of rows) line(format(row));
    },
  };
}

/** A reason may hold the last lines of a stranger's log; a row is one line. */
function toCell(text: string): string {
  return stripControls(text).replace(/\s+/g, " ").trim();
}

/** `12s ago`, `3m ago`, `5h ago`, `2d ago`. */
export function formatAge(at: number, now = Date.now()): string {
  const seconds = Math.max(0, Math.round((now - at) / 1_000));
  if (seconds < 60) return `${seconds}s ago`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)}h ago`;
  return `${Math.floor(seconds / 86_400)}d ago`;
}
