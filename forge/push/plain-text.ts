import { stripVTControlCharacters } from "node:util";

const LIMIT = 500;

/** Text an owner or a build wrote, safe for a terminal: one line, no colours, no control or direction marks. */
export function plainText(text: string): string {
  const plain = stripVTControlCharacters(text)
    .replace(/\t/g, "    ")
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "");
  return plain.length > LIMIT ? `${plain.slice(0, LIMIT)}…` : plain;
}
