import test from "ava";
import fc from "fast-check";
import {
  formatServiceName,
  formatVersionName,
  refuseFunctionKey,
  refuseSlug,
  SYSTEM_FUNCTIONS,
  splitServiceName,
  splitVersionName,
  toSlug,
} from "./names.ts";

for (const slug of ["a", "a-b", "al", "alice", "0", "9-lives", "a".repeat(39)]) {
  test(`an owner may be "${slug}"`, (t) => {
    t.is(refuseSlug(slug), undefined);
  });
}

const notALabel = /a name is at most 39 lower-case letters, digits and "-"/;
for (const [slug, why] of [
  ["", notALabel],
  ["Alice", notALabel],
  ["-a", notALabel],
  ["a-", notALabel],
  ["a_b", notALabel],
  ["a.b", notALabel],
  ["a/b", notALabel],
  ["a\n", notALabel],
  ["ä", notALabel],
  ["a".repeat(40), notALabel],
  ["a--b", /"--" is kept for versions/],
  ...["system", "auth", "api", "www", "gateway", "openfaas", "admin", ...SYSTEM_FUNCTIONS].map(
    (name) => [name, /is reserved by the platform/] as const,
  ),
] as const) {
  test(`an owner may not be ${JSON.stringify(slug)}`, (t) => {
    t.regex(refuseSlug(slug) ?? "", why);
    t.true(refuseSlug(slug)?.startsWith(`owner "${slug}"`));
  });
}

test("a reserved name in capitals is as reserved", (t) => {
  t.regex(refuseSlug(toSlug("System")) ?? "", /reserved/);
  t.is(toSlug("AlexEllis"), "alexellis");
});

for (const [key, why] of [
  ["cart", undefined],
  ["cart-2", undefined],
  ["system", undefined],
  ["pr-1", undefined],
  ["pr12", undefined],
  ["c".repeat(48), undefined],
  ["c".repeat(49), /"alice-c{49}" is 55 characters, at most 54 fit/],
  ["", /DNS label/],
  ["Cart", /DNS label/],
  ["cart.openfaas-fn", /DNS label/],
  ["../cart", /DNS label/],
  ["cart\n", /DNS label/],
  ["-cart", /DNS label/],
  ["cart-", /DNS label/],
  ["cart--1234567", /"--" is kept for versions/],
  ["pr1-cart", /"pr<number>-" is kept for previews/],
] as const) {
  test(`alice ${why === undefined ? "may" : "may not"} have a function ${JSON.stringify(key)}`, (t) => {
    const refusal = refuseFunctionKey(key, "alice");

    if (why === undefined) t.is(refusal, undefined);
    else t.regex(refusal ?? "", why);
  });
}

test("the longest owner leaves room for a function of fourteen characters", (t) => {
  t.is(refuseFunctionKey("f".repeat(14), "a".repeat(39)), undefined);
  t.regex(refuseFunctionKey("f".repeat(15), "a".repeat(39)) ?? "", /at most 54 fit/);
});

test("a deployed name may be read as another owner's, which is why names are claims and never rights", (t) => {
  t.is(formatServiceName("a", "b-cart"), formatServiceName("a-b", "cart"));
  t.is(formatServiceName("al", "ice-cart"), "al-ice-cart");
  t.not(formatServiceName("al", "ice-cart"), formatServiceName("alice", "cart"));
});

test("whatever is not refused is one DNS label, with room for a version", (t) => {
  const label = fc.stringMatching(/^[a-z0-9-]{1,45}$/);
  fc.assert(
    fc.property(label, label, (slug, key) => {
      fc.pre(refuseSlug(slug) === undefined && refuseFunctionKey(key, slug) === undefined);
      const name = `${formatServiceName(slug, key)}--1234567`;
      t.regex(name, /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);
      t.true(name.length <= 63);
      t.is(name.split("--").length, 2);
    }),
  );
});

test("two owners' functions share a name only where one owner's slug begins with the other's and a dash", (t) => {
  const parts = ["a", "b", "al", "ice", "a-b", "b-c", "c", "alice", "a-b-c"];
  const pairs = parts.flatMap((slug) => parts.map((key) => ({ slug, key })));
  const meeting = pairs.flatMap((one) =>
    pairs
      .filter(({ slug }) => slug !== one.slug)
      .filter(
        ({ slug, key }) => formatServiceName(slug, key) === formatServiceName(one.slug, one.key),
      )
      .map(({ slug }) => [one.slug, slug] as const),
  );

  // The ledger gives such a name to one owner alone.
  t.true(meeting.length > 0);
  for (const [slug, other] of meeting)
    t.true(slug.startsWith(`${other}-`) || other.startsWith(`${slug}-`), `${slug} and ${other}`);
});

for (const [text, name, namespace] of [
  ["cart", "cart", "openfaas-fn"],
  ["cart.openfaas-fn", "cart", "openfaas-fn"],
  ["git-tar.openfaas-system", "git-tar", "openfaas-system"],
  ["a.b.openfaas-fn", "a.b", "openfaas-fn"],
  ["cart.", "cart", ""],
] as const) {
  test(`"${text}" is "${name}" in the namespace "${namespace}"`, (t) => {
    t.deepEqual(splitServiceName(text), { name, namespace });
  });
}

test("a version's name is its function's and the first seven digits of its commit", (t) => {
  const name = formatVersionName("alice-cart", "1a2b3c4d5e6f7a8b9c0d1a2b3c4d5e6f7a8b9c0d");

  t.is(name, "alice-cart--1a2b3c4");
  t.deepEqual(splitVersionName(name), { service: "alice-cart", sha: "1a2b3c4" });
});

for (const name of [
  "alice-cart",
  "alice-cart--",
  "alice-cart--1a2b3c",
  "alice-cart--1a2b3c4d",
  "alice-cart--1A2B3C4",
  "alice-cart-1a2b3c4",
  "alice-cart--1a2b3c4.openfaas-fn",
  "--1a2b3c4",
]) {
  test(`"${name}" is no version's name`, (t) => {
    t.is(splitVersionName(name), undefined);
  });
}
