import { FAULT_POINTS } from "./fault-points.ts";
import type { Random } from "./random.ts";

/** From so many kills on each point is given its turns, however many that takes. */
const WHOLE_RUN = 200;

export type PlanOptions = {
  readonly random: Random;
  /** By place of the kill, so far. */
  readonly kills: ReadonlyMap<string, number>;
  readonly asked: number;
  /** One in so many lives is for kills at random, and begins with a rest: a build has five attempts. */
  readonly randomEvery: number;
  /** Whether each point gets its turns in a long run. */
  readonly isWhole: boolean;
};

/** For each life its fault point, or `undefined` for kills at random, until there were enough. */
export function* planFaults(options: PlanOptions): Generator<string | undefined> {
  const { random, kills, asked, randomEvery, isWhole } = options;
  // A point that was not reached, since nothing was to be written there, has two more turns.
  const due = [1, 2, 3].flatMap(() => shuffle(FAULT_POINTS, random)).toReversed();
  let next = nextDue(due, kills);
  for (let life = 1; ; life += 1) {
    const isDone = next === undefined || asked < WHOLE_RUN || !isWhole;
    if (countKills(kills) >= asked && isDone) return;
    if (life % randomEvery === 0) yield undefined;
    else {
      yield next ?? chooseFault(random);
      next = nextDue(due, kills);
    }
  }
}

export function countKills(kills: ReadonlyMap<string, number>): number {
  return [...kills.values()].reduce((sum, one) => sum + one, 0);
}

function nextDue(due: string[], kills: ReadonlyMap<string, number>): string | undefined {
  for (let point = due.pop(); point !== undefined; point = due.pop())
    if (!kills.has(point)) return point;
  return undefined;
}

function shuffle<T>(all: readonly T[], random: Random): T[] {
  const left = [...all];
  return all.flatMap(() => left.splice(random.below(left.length), 1));
}

/** After every point had its turn: none, or one that is passed some times before. */
function chooseFault(random: Random): string | undefined {
  return random.oneIn(2) ? undefined : `${random.pick(FAULT_POINTS)}:${1 + random.below(3)}`;
}
