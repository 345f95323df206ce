/** Unix milliseconds. */
export type UnixMs = number;
