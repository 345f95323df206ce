import test from "ava";
import fc from "fast-check";
import { createTurns } from "./turns.ts";

type Waiting = { readonly owner: string; readonly turn: number; readonly nth: number };

/** The waiting call that a worker takes next: lowest turn, then first come. */
function takeNext(waiting: Waiting[]): Waiting | undefined {
  waiting.sort((a, b) => a.turn - b.turn || a.nth - b.nth);
  return waiting.shift();
}

test("an owner's calls keep their order and never start before the turn in force", (t) => {
  const turns = createTurns();

  const first = [turns.take("a"), turns.take("a"), turns.take("a")];
  turns.begin(2);

  t.deepEqual(first, [1, 2, 3]);
  t.is(turns.take("b"), 2);
  t.is(turns.take("a"), 4);
});

test("restored calls go before later ones of their owner", (t) => {
  const turns = createTurns();

  turns.restore("a", 7);

  t.is(turns.take("a"), 8);
  t.is(turns.take("b"), 1);
});

test("whatever comes when, a call waits for at most two calls of each other owner and its own earlier ones", (t) => {
  const arrivals = fc.array(
    fc.record({
      owner: fc.constantFrom("a", "b", "c"),
      runsBefore: fc.integer({ min: 0, max: 3 }),
    }),
    { maxLength: 80 },
  );

  fc.assert(
    fc.property(arrivals, (steps) => {
      const turns = createTurns();
      const waiting: Waiting[] = [];
      const started: Waiting[] = [];
      const startedAtArrival = new Map<Waiting, number>();
      const ahead = new Map<Waiting, number>();
      const run = () => {
        const next = takeNext(waiting);
        if (next === undefined) return;
        turns.begin(next.turn);
        started.push(next);
      };
      steps.forEach(({ owner, runsBefore }, nth) => {
        for (let count = 0; count < runsBefore; count++) run();
        const call = { owner, turn: turns.take(owner), nth };
        ahead.set(call, waiting.filter((other) => other.owner === owner).length);
        startedAtArrival.set(call, started.length);
        waiting.push(call);
      });
      while (waiting.length > 0) run();

      for (const call of started) {
        const since = started.slice(startedAtArrival.get(call), started.indexOf(call));
        for (const other of ["a", "b", "c"].filter((name) => name !== call.owner)) {
          const theirs = since.filter(({ owner }) => owner === other).length;
          if (theirs > 2 + (ahead.get(call) ?? 0)) return false;
        }
      }
      return true;
    }),
  );
  t.pass();
});
