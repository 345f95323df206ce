import type { Random } from "../faults/random.ts";

/** Longest input that is tried, in bytes. */
const LIMIT = 128 * 1024;
const NUMBERS = ["0", "-1", "1", "255", "65536", "2147483648", "9007199254740993", "1e309", "NaN"];

type Mutation = (input: Buffer, random: Random, others: Others) => Buffer;
type Others = {
  readonly dictionary: readonly string[];
  readonly corpus: readonly Buffer[];
};

/** Change an input of the corpus a few times, at places and in ways that chance decides. */
export function mutate(random: Random, others: Others): Buffer {
  let changed = pickInput(others, random);
  for (let left = 1 + random.below(random.oneIn(4) ? 12 : 3); left > 0; left -= 1)
    changed = random.pick(MUTATIONS)(changed, random, others);
  return changed.subarray(0, LIMIT);
}

/** The shorter of two: a long one takes the time of thousands. */
function pickInput({ corpus }: Others, random: Random): Buffer {
  const [one, other] = [random.pick(corpus), random.pick(corpus)];
  return one.length <= other.length ? one : other;
}

const insertWord: Mutation = (input, random, { dictionary }) =>
  insert(input, random.below(input.length + 1), Buffer.from(random.pick(dictionary)));

const replaceByWord: Mutation = (input, random, { dictionary }) =>
  replaceSome(input, random, Buffer.from(random.pick(dictionary)));

const insertNumber: Mutation = (input, random) =>
  replaceSome(input, random, Buffer.from(random.pick(NUMBERS)));

const flipBit: Mutation = (input, random) => {
  if (input.length === 0) return input;
  const copy = Buffer.from(input);
  const at = random.below(copy.length);
  copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8));
  return copy;
};

const setByte: Mutation = (input, random) =>
  insert(cut(input, random.below(input.length + 1), 1), random.below(input.length), [
    random.below(256),
  ]);

const remove: Mutation = (input, random) =>
  cut(input, random.below(input.length + 1), 1 + random.below(random.oneIn(3) ? 64 : 6));

const repeat: Mutation = (input, random) => {
  const start = random.below(input.length + 1);
  const piece = input.subarray(start, start + 1 + random.below(24));
  const times = random.oneIn(20) ? random.below(3_000) : 1 + random.below(4);
  return insert(input, start, Buffer.concat(Array.from({ length: times }, () => piece)));
};

const splice: Mutation = (input, random, others) => {
  const other = pickInput(others, random);
  const from = random.below(other.length + 1);
  const piece = other.subarray(from, from + random.below(other.length + 1));
  return insert(input, random.below(input.length + 1), piece);
};

const crossOver: Mutation = (input, random, others) => {
  const other = pickInput(others, random);
  const end = input.subarray(0, random.below(input.length + 1));
  return Buffer.concat([end, other.subarray(random.below(other.length + 1))]);
};

const moveLine: Mutation = (input, random) => {
  const lines = input.toString("latin1").split("\n");
  const [line = ""] = lines.splice(random.below(lines.length), 1);
  lines.splice(random.below(lines.length + 1), 0, line);
  if (random.oneIn(3)) lines.splice(random.below(lines.length + 1), 0, line);
  return Buffer.from(lines.join("\n"), "latin1");
};

const MUTATIONS: readonly Mutation[] = [
  insertWord,
  insertWord,
  replaceByWord,
  insertNumber,
  flipBit,
  setByte,
  remove,
  remove,
  repeat,
  splice,
  crossOver,
  moveLine,
];

function replaceSome(input: Buffer, random: Random, piece: Buffer): Buffer {
  const at = random.below(input.length + 1);
  return insert(cut(input, at, random.below(12)), at, piece);
}

function insert(input: Buffer, at: number, piece: Uint8Array | readonly number[]): Buffer {
  return Buffer.concat([input.subarray(0, at), Buffer.from(piece), input.subarray(at)]);
}

function cut(input: Buffer, at: number, length: number): Buffer {
  return Buffer.concat([input.subarray(0, at), input.subarray(at + length)]);
}
