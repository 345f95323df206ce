import test from "ava";
import { labels } from "#sdk/labels.ts";
import { decideSwitch } from "./decide-switch.ts";

const current = {
  id: "r1",
  buildId: "older",
  repositoryId: "forge:1",
  specHash: "spec",
  digest: "sha256:1",
};
const same = {
  build: { id: "this", repositoryId: "forge:1" },
  digest: "sha256:1",
  running: { [labels.release]: "r1" },
};

const cases = [
  ["equal spec and image that run are kept", current, "spec", same, "keep"],
  ["a function that is new is switched to", undefined, "spec", same, "switch"],
  [
    "what a roll-back took the function away from is kept away",
    { ...current, specHash: "old", insteadOf: { specHash: "spec", digest: "sha256:1" } },
    "spec",
    same,
    "keep",
  ],
  [
    "a function that was rolled back takes what a push changes",
    { ...current, insteadOf: { specHash: "undone", digest: "sha256:3" } },
    "new",
    same,
    "switch",
  ],
  ["another spec is switched to", current, "other spec", same, "switch"],
  ["another image is switched to", current, "spec", { ...same, digest: "sha256:2" }, "switch"],
  [
    "the release of this very build is switched to again",
    { ...current, buildId: "this" },
    "spec",
    same,
    "switch",
  ],
  [
    "what the engine lost is switched to",
    current,
    "spec",
    { ...same, running: undefined },
    "switch",
  ],
  ["what runs without a release is replaced", current, "spec", { ...same, running: {} }, "switch"],
  [
    "what somebody deployed by hand is replaced",
    current,
    "spec",
    { ...same, running: { [labels.release]: "manual" } },
    "switch",
  ],
] as const;

for (const [title, serving, specHash, facts, decision] of cases)
  test(title, (t) => {
    t.is(decideSwitch(serving, { specHash }, facts), decision);
  });
