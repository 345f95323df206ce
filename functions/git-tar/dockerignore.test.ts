import test from "ava";
import fc from "fast-check";
import { parseDockerignore } from "./dockerignore.ts";
import { StackError } from "./stack-error.ts";

const CASES: readonly (readonly [pattern: string, path: string, ignored: boolean])[] = [
  ["node_modules", "node_modules/a/b.js", true],
  ["node_modules", "src/node_modules/a.js", false],
  ["**/node_modules", "src/node_modules/a.js", true],
  ["**/node_modules", "node_modules/a.js", true],
  ["*.md", "README.md", true],
  ["*.md", "docs/README.md", false],
  ["*.md\n!README.md", "README.md", false],
  ["!README.md\n*.md", "README.md", true],
  ["*\n!src", "src/a.js", false],
  ["*\n!src", "lib/a.js", true],
  ["node_modules\n!node_modules/keep", "node_modules/keep/a.js", false],
  ["/a/b/", "a/b/c", true],
  ["./a", "a", true],
  ["a/**", "a/b/c", true],
  ["a/**", "a", false],
  ["**/*.log", "a/b/c.log", true],
  ["a/**/z", "a/z", true],
  ["a/**/z", "a/b/c/z", true],
  ["**", "anything/at/all", true],
  ["?.js", "a.js", true],
  ["?.js", "ab.js", false],
  ["[a-c].js", "b.js", true],
  ["[^a-c].js", "b.js", false],
  ["[a", "a", false],
  ["\\*.js", "*.js", true],
  ["\\*.js", "a.js", false],
  ["# comment\n\n  ", "# comment", false],
  ["../secret", "secret", false],
];

for (const [pattern, path, ignored] of CASES) {
  test(`${JSON.stringify(pattern)} ${ignored ? "leaves out" : "keeps"} ${path}`, (t) => {
    t.is(parseDockerignore(pattern)(path), ignored);
  });
}

test("a pattern of many stars is matched without trying every way", (t) => {
  const ignores = parseDockerignore(`${"*a".repeat(100)}b`);

  // Every way would take longer than the universe is old.
  t.false(ignores("a".repeat(4_000)));
});

test("patterns that would take too long are refused", (t) => {
  const ignores = parseDockerignore(
    Array.from({ length: 1_000 }, () => `${"a".repeat(60)}*a*a*b`).join("\n"),
  );

  const match = () => {
    for (let i = 0; i < 20_000; i++) ignores("a".repeat(250));
  };

  t.throws(match, { instanceOf: StackError, message: /takes too long to match/ });
});

test("the members of a set are work, too: long sets are refused as soon as long patterns", (t) => {
  const ignores = parseDockerignore(
    Array.from({ length: 1_000 }, () => `*[${"b-c".repeat(19)}]`).join("\n"),
  );

  const match = () => {
    for (let i = 0; i < 4; i++) ignores("a".repeat(250));
  };

  t.throws(match, { instanceOf: StackError, message: /takes too long to match/ });
});

test("many patterns of ** that match nothing are matched or refused while a user waits", (t) => {
  const pattern = `${"**/".repeat(62)}x/y`;
  const ignores = parseDockerignore(Array.from({ length: 340 }, () => pattern).join("\n"));
  const cpu = process.cpuUsage();

  const match = () => {
    for (let i = 0; i < 20_000; i++) ignores(`${i}/b/x/d/x/f/x/h/x/j`);
  };

  t.throws(match, { instanceOf: StackError, message: /takes too long to match/ });
  t.true(process.cpuUsage(cpu).user < 10_000_000, "a minute and more before each ** was counted");
});

test("matching agrees with the plainest reading of the rules", (t) => {
  const part = fc.constantFrom("a", "b", "**", "ab", "*", "a*");
  const rule = fc.array(part, { minLength: 1, maxLength: 6 });
  const path = fc.array(fc.constantFrom("a", "b", "ab", "c"), { minLength: 1, maxLength: 6 });

  fc.assert(
    fc.property(rule, path, (pattern, parts) => {
      const read = parseDockerignore(pattern.join("/"))(parts.join("/"));
      t.is(read, matchesPlainly(pattern, parts), `${pattern.join("/")} on ${parts.join("/")}`);
    }),
    { numRuns: 5_000 },
  );
});

/** `**` is any number of folders, at least one thing at the end; a whole pattern holds for all below. */
function matchesPlainly(pattern: readonly string[], path: readonly string[]): boolean {
  const [wanted, ...rest] = pattern;
  const [part, ...below] = path;
  if (wanted === undefined) return true;
  if (part === undefined) return false;
  if (wanted === "**")
    return rest.length === 0 || matchesPlainly(rest, path) || matchesPlainly(pattern, below);
  const isMatch = wanted === "*" || wanted === part || (wanted === "a*" && part.startsWith("a"));
  return isMatch && matchesPlainly(rest, below);
}

test("whatever the patterns, matching answers yes or no", (t) => {
  const text = fc
    .array(fc.constantFrom(..."ab*?[]!^-\\/.#\n ", "**"), { maxLength: 30 })
    .map((parts) => parts.join(""));

  fc.assert(
    fc.property(
      text,
      text,
      (patterns, path) => typeof parseDockerignore(patterns)(path) === "boolean",
    ),
  );
  t.pass();
});
