import test from "ava";
import fc from "fast-check";
import {
  type ArtifactLimits,
  decideArtifacts,
  decideEvictions,
  sumBytes,
} from "./decide-garbage.ts";

const HOUR = 3_600_000;
const NOW = 1_000 * HOUR;
const LIMITS: ArtifactLimits = { keepReleases: 2, keepUnusedMs: 24 * HOUR, ownerBytes: 1_000 };

function artifact(name: string, { ageMs = 100 * HOUR, sizeBytes = 1, key = `v1:${name}` } = {}) {
  return {
    ownerId: "forge:1",
    key,
    digest: `sha256:${name}`,
    image: name,
    sizeBytes,
    createdAt: NOW - ageMs,
  };
}

const ranks = (byName: Readonly<Record<string, number>>) =>
  new Map(Object.entries(byName).map(([name, rank]) => [`sha256:${name}`, rank]));

const forgotten = (
  artifacts: readonly ReturnType<typeof artifact>[],
  needed: Readonly<Record<string, number>>,
  limits = LIMITS,
) => decideArtifacts(artifacts, ranks(needed), limits, NOW).map(({ key }) => key);

test("what serves and the newest releases stay, older releases go", (t) => {
  const artifacts = ["serving", "newest", "second", "third"].map((name) => artifact(name));

  const gone = forgotten(artifacts, { serving: 0, newest: 1, second: 2, third: 3 });

  t.deepEqual(gone, ["v1:third"]);
});

test("what no release has stays for a day, in case the next push needs it", (t) => {
  const artifacts = [artifact("old"), artifact("young", { ageMs: 24 * HOUR - 1 })];

  t.deepEqual(forgotten(artifacts, {}), ["v1:old"]);
});

test("an owner over quota loses the unused first, then releases from the oldest, never what serves", (t) => {
  const artifacts = [
    artifact("serving", { sizeBytes: 100 }),
    artifact("second", { sizeBytes: 100 }),
    artifact("first", { sizeBytes: 100 }),
    artifact("young", { sizeBytes: 100, ageMs: 1 }),
  ];
  const needed = { serving: 0, first: 1, second: 2 };
  const within = (ownerBytes: number) => forgotten(artifacts, needed, { ...LIMITS, ownerBytes });

  t.deepEqual(within(401), []);
  t.deepEqual(within(400), ["v1:young"]);
  t.deepEqual(within(300), ["v1:second", "v1:young"]);
  t.deepEqual(within(1), ["v1:second", "v1:first", "v1:young"]);
});

test("keys of equal content stay or go together", (t) => {
  const twins = ["a", "b"].map((key) => artifact("twin", { key }));

  t.deepEqual(forgotten(twins, { twin: 1 }), []);
  t.deepEqual(forgotten(twins, { twin: 3 }), ["a", "b"]);
});

function cache(path: string, bytes: number, ageMs: number, inUse = false) {
  return { path, bytes, usedAt: NOW - ageMs, inUse };
}

test("what can go goes oldest first until so much is given back", (t) => {
  const found = [
    cache("new", 50, 2 * HOUR),
    cache("old", 50, 9 * HOUR),
    cache("mid", 50, 5 * HOUR),
  ];
  const dropped = (excess: number) =>
    decideEvictions(found, excess, HOUR, NOW).map(({ path }) => path);

  t.deepEqual(dropped(-1), []);
  t.deepEqual(dropped(0), []);
  t.deepEqual(dropped(1), ["old"]);
  t.deepEqual(dropped(50), ["old"]);
  t.deepEqual(dropped(51), ["old", "mid"]);
  t.deepEqual(dropped(1_000), ["old", "mid", "new"]);
});

test("what is in use or was used within the hour stays, however much is to be given back", (t) => {
  const found = [
    cache("serving", 50, 9 * HOUR, true),
    cache("busy", 50, HOUR - 1),
    cache("idle", 50, HOUR),
  ];

  const dropped = decideEvictions(found, 1_000, HOUR, NOW);

  t.deepEqual(
    dropped.map(({ path }) => path),
    ["idle"],
  );
});

test("for any files, what goes is idle, oldest first, and not one more than needed", (t) => {
  const files = fc.array(
    fc.record({
      path: fc.uuid(),
      bytes: fc.nat(1_000),
      usedAt: fc.integer({ min: NOW - 3 * HOUR, max: NOW + HOUR }),
      inUse: fc.boolean(),
    }),
  );
  const property = fc.property(files, fc.integer({ min: -10, max: 5_000 }), (found, excess) => {
    const dropped = decideEvictions(found, excess, HOUR, NOW);
    const kept = found.filter((one) => !dropped.includes(one));
    const mayGo = kept.filter(({ inUse, usedAt }) => !inUse && NOW - usedAt >= HOUR);
    const oldest = Math.min(...mayGo.map(({ usedAt }) => usedAt));
    return (
      dropped.every(({ inUse, usedAt }) => !inUse && NOW - usedAt >= HOUR && usedAt <= oldest) &&
      (sumBytes(dropped) >= excess || mayGo.length === 0) &&
      (dropped.length === 0 || sumBytes(dropped.slice(0, -1)) < excess)
    );
  });

  t.notThrows(() => fc.assert(property));
});
