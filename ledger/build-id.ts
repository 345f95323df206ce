import { randomBytes } from "node:crypto";
import type { UnixMs } from "./types/unix-ms.ts";

/** Crockford's, lower case: no i, l, o, u. */
const DIGITS = "0123456789abcdefghjkmnpqrstvwxyz";
const TIME_DIGITS = 10;
const RANDOM_BYTES = 16;

/** 26 characters of base32: 10 of milliseconds, so that ids sort by time, and 80 random bits. */
export function makeBuildId(now: UnixMs): string {
  const time = Array.from({ length: TIME_DIGITS }, (_, place) =>
    digit(Math.floor(now / 32 ** (TIME_DIGITS - 1 - place))),
  );
  return [...time, ...Array.from(randomBytes(RANDOM_BYTES), digit)].join("");
}

function digit(value: number): string {
  return DIGITS.charAt(value % 32);
}
