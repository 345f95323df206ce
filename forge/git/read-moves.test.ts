import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { readMoves } from "./read-moves.ts";
import { NO_SHA } from "./read-refs.ts";

const ref = "refs/heads/main";
const [a, b, c, d] = ["a", "b", "c", "d"].map((letter) => letter.repeat(40)) as [
  string,
  string,
  string,
  string,
];

type Move = readonly [before: string, after: string];

/** A repository with a log of these moves of `main`; none at all when there are none. */
async function setUp(t: ExecutionContext, moves: readonly Move[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "forge-moves-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const lines = moves.map(
    ([before, after]) => `${before} ${after} alice <alice@http.127.0.0.1> 1795000000 +0000\tpush\n`,
  );
  await mkdir(join(folder, "logs/refs/heads"), { recursive: true });
  if (moves.length > 0) await writeFile(join(folder, "logs", ref), lines.join(""));
  return folder;
}

const CASES: readonly [string, readonly Move[], Move, readonly Move[]][] = [
  ["one push is one move", [[a, b]], [a, b], [[a, b]]],
  [
    "three pushes, the first of the branch among them, are three moves",
    [
      [NO_SHA, a],
      [a, b],
      [b, c],
    ],
    [NO_SHA, c],
    [
      [NO_SHA, a],
      [a, b],
      [b, c],
    ],
  ],
  [
    "what came after the commit that was read is left for later",
    [
      [a, b],
      [b, c],
    ],
    [a, b],
    [[a, b]],
  ],
  [
    "a move that was logged and killed before it came about is left out",
    [
      [a, b],
      [b, d],
      [b, c],
    ],
    [a, c],
    [
      [a, b],
      [b, c],
    ],
  ],
  [
    "a force-push back and forth is told from the last time that was announced",
    [
      [b, a],
      [a, b],
    ],
    [a, b],
    [[a, b]],
  ],
  [
    "what is older than the log is one move",
    [[b, c]],
    [a, c],
    [
      [a, b],
      [b, c],
    ],
  ],
  ["without a log all is one move", [], [a, c], [[a, c]]],
  ["a branch that is gone has moved once", [], [a, NO_SHA], [[a, NO_SHA]]],
];

for (const [title, log, [before, after], expected] of CASES)
  test(title, async (t) => {
    const folder = await setUp(t, log);

    const moves = await readMoves(folder, { ref, before, after });

    t.deepEqual(
      moves,
      expected.map(([from, to]) => ({ ref, before: from, after: to })),
    );
  });

test("of a thousand pushes that nobody looked at the last hundred are told one by one", async (t) => {
  const shas = Array.from({ length: 5_001 }, (_, at) => at.toString(16).padStart(40, "0"));
  const log = shas.slice(1).map((sha, at): Move => [shas[at] ?? "", sha]);
  const folder = await setUp(t, log);

  const moves = await readMoves(folder, { ref, before: a, after: shas.at(-1) ?? "" });

  t.is(moves.length, 101);
  t.deepEqual(moves[0], { ref, before: a, after: shas.at(-101) });
  t.deepEqual(moves.at(-1), { ref, before: shas.at(-2), after: shas.at(-1) });
});
