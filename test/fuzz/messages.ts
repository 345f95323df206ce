/** What the program tells the thread that fuzzes one parser. */
export type Order = {
  readonly parser: string;
  readonly seed: number;
  /** How long to go on, in milliseconds. */
  readonly ms: number;
  /** The input that is being read: the place of its length, then itself. A thread that dies leaves it here. */
  readonly current: SharedArrayBuffer;
};

/** What it tells back when its time is over. */
export type Told = {
  readonly inputs: number;
  /** Inputs that reached something new and are in the corpus now. */
  readonly kept: number;
  /** Name in the corpus, and what is wrong. */
  readonly findings: readonly { readonly name: string; readonly why: string }[];
};

/** Longest input that fits into `Order.current`, in bytes. */
export const CURRENT_BYTES = 256 * 1024;
/** Where in `Order.current` stand the count of inputs so far, and the length of the one in hand. */
export const [COUNT, LENGTH, HEADER_BYTES] = [0, 1, 8] as const;
