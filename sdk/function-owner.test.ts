import test from "ava";
import { ownerIdOf, repositoryIdOf } from "./function-owner.ts";
import { labels } from "./labels.ts";

for (const [what, of, id] of [
  ["a source and a number are joined", { gitScm: "github", gitOwnerId: "7" }, "github:7"],
  ["a whole id is taken as it is", { gitScm: "forge", gitOwnerId: "github:7" }, "github:7"],
  ["a number without a source is nobody's", { gitOwnerId: "7" }, undefined],
  ["a source without a number is nobody's", { gitScm: "github" }, undefined],
  ["an empty number is nobody's", { gitScm: "github", gitOwnerId: "" }, undefined],
  ["a login gives no right", { gitScm: "github", gitOwner: "alice" }, undefined],
] as const) {
  test(`whose a function is by its labels: ${what}`, (t) => {
    const entries = Object.entries(of) as [keyof typeof labels, string][];

    t.is(ownerIdOf({ labels: Object.fromEntries(entries.map(([k, v]) => [labels[k], v])) }), id);
  });
}

test("a function without labels has neither owner nor repository", (t) => {
  t.is(ownerIdOf({}), undefined);
  t.is(repositoryIdOf({}), undefined);
});

test("the repository is found by its own number", (t) => {
  const of = { [labels.gitScm]: "forge", [labels.gitOwnerId]: "1", [labels.gitRepoId]: "10" };

  t.is(repositoryIdOf({ labels: of }), "forge:10");
});
