import test from "ava";
import type { Release } from "#ledger/types/release.ts";
import { labels } from "#sdk/labels.ts";
import { findTarget } from "./find-target.ts";

/** A release of the n-th push, whose commit is `n` seven times. */
function release(generation: number, fence: number, secretsVersion?: string): Release {
  const secrets = secretsVersion === undefined ? {} : { [labels.secretsVersion]: secretsVersion };
  const gitSha = String(generation).repeat(40);
  return {
    ...{ id: `r${fence}`, service: "alice-cart", ownerId: "forge:1", repositoryId: "forge:10" },
    ...{ buildId: `b${generation}`, generation, fence, specHash: "spec", digest: "sha256:0" },
    ...{ state: "retired", declaredAt: 0 },
    deployment: {
      service: "alice-cart",
      image: "cart",
      labels: { [labels.gitSha]: gitSha, ...secrets },
    },
  };
}

const [first, second, third] = [release(1, 1), release(2, 2), release(3, 3)];
const back = release(1, 4);
const backWithSecrets = release(1, 4, "v");

for (const [title, current, served, asked, expected] of [
  ["the version before without a commit", third, [third, second, first], {}, second],
  ["the version of a commit", third, [third, second, first], { sha: "111" }, first],
  ["its newest release", third, [third, back, second, first], { sha: "1111111" }, back],
  ["a newer version by its commit", back, [back, third, second, first], { sha: "3333" }, third],
  ["the same version before with its secrets", third, [third, second], withSecrets(), second],
  [
    "the commit that serves, with the secrets that it had before",
    back,
    [back, third, second, first],
    withSecrets("1111"),
    first,
  ],
  [
    "the commit that serves with earlier secrets, for those of now",
    backWithSecrets,
    [backWithSecrets, third, second, first],
    { sha: "1111" },
    backWithSecrets,
  ],
] as const) {
  test(`a roll-back goes to ${title}`, (t) => {
    const target = findTarget(current, served, { service: "alice-cart", ...asked });

    t.is(target, expected);
  });
}

for (const [title, current, served, asked, message] of [
  ["nothing was before", first, [first], {}, /no earlier version; nothing else is kept\.$/],
  ["the commit serves", back, [back, third, first], { sha: "1111" }, /"1111"; kept are 3333333\.$/],
  ["the commit served once only", first, [first], withSecrets("1111"), /nothing else is kept\.$/],
] as const) {
  test(`a roll-back is refused where ${title}`, (t) => {
    const find = () => findTarget(current, served, { service: "alice-cart", ...asked });

    t.throws(find, { message });
  });
}

function withSecrets(sha?: string) {
  return { withSecrets: true, ...(sha === undefined ? {} : { sha }) };
}
