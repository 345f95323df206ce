/** Code that reads what strangers wrote, as the fuzzer and the kept corpus call it. */
export type Parser = {
  /** Pieces that mean something to it, for mutations. */
  readonly dictionary: readonly string[];
  /**
   * Read one input to its end. Returns the shape of what came out, a few words; a refusal is a shape too.
   * Whatever it throws is a finding: a crash, or a promise of the parser that this input breaks.
   */
  read(input: Buffer): string | Promise<string>;
};

/** Throw unless a promise that a parser makes holds for this input. */
export function promise(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`Broken promise: ${what}`);
}

/** UTF-8 as it comes, with U+FFFD for what is none. */
export function toText(input: Buffer): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(input);
}

/** `read()`, or the kind of the refusal when what it throws is one; everything else is thrown on. */
export function orRefusal(
  read: () => string,
  kindOf: (error: unknown) => string | undefined,
): string {
  try {
    return read();
  } catch (error) {
    const kind = kindOf(error);
    if (kind === undefined) throw error;
    return `refused: ${kind}`;
  }
}
