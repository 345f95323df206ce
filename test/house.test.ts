import { readFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import test from "ava";
import { readSources } from "./helpers/sources.ts";

const project = join(import.meta.dirname, "..");

/** Which rooms a room may import besides itself; the same table as in the README. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  sdk: [],
  ledger: ["sdk"],
  functions: ["sdk", "ledger"],
  queue: ["sdk"],
  builder: ["sdk"],
  gateway: ["sdk", "provider"],
  provider: ["sdk"],
  watchdog: ["sdk"],
  edge: ["sdk", "ledger"],
  forge: ["sdk"],
  dashboard: ["sdk", "ledger"],
};

/** `functions/git-tar/mirror.ts` lives in the room `functions/git-tar`. */
function roomOf(file: string): string {
  const [top = "", name = ""] = file.split("/");
  return top === "functions" ? `functions/${name}` : top;
}

function importsOf(file: string, text: string): string[] {
  return [...text.matchAll(/(?:from|import)\s*\(?\s*"(\.{1,2}\/[^"]+|#\w+\/[^"]+)"/g)].map(
    ([, specifier = ""]) =>
      specifier.startsWith("#") ? specifier.slice(1) : normalize(join(dirname(file), specifier)),
  );
}

test("a room imports itself and the rooms of its row, nothing else", async (t) => {
  const trespasses: string[] = [];

  for (const { file, text } of await readSources()) {
    const room = roomOf(file);
    const allowed = MAY_IMPORT[room.split("/")[0] ?? ""];
    if (allowed === undefined) continue;
    for (const target of importsOf(file, text)) {
      const there = roomOf(target);
      const isTestHelper = file.endsWith(".test.ts") && there === "test";
      if (there !== room && !allowed.includes(there) && !isTestHelper)
        trespasses.push(`${file} imports ${target}`);
    }
  }

  t.deepEqual(trespasses, []);
});

test("the environment is read in main.ts and nowhere else", async (t) => {
  const found = (await readSources()).filter(
    ({ file, text }) =>
      !/(^|\/)main\.ts$|\.test\.ts$|^(test|bench)\/|\/test-[^/]+\.ts$/.test(file) &&
      /process\.env\b/.test(text),
  );

  t.deepEqual(
    found.map(({ file }) => file),
    [],
  );
});

test("every room and every function has a README", async (t) => {
  const files = (await readSources()).map(({ file }) => file);
  const rooms = new Set(
    files
      .map(roomOf)
      .filter((room) => (MAY_IMPORT[room.split("/")[0] ?? ""] ?? []).length > 0 || room === "sdk"),
  );
  const missing: string[] = [];

  for (const room of rooms) {
    const there = await readFile(join(project, room, "README.md"), "utf8").then(
      (text) => text.length > 200,
      () => false,
    );
    if (!there) missing.push(room);
  }

  t.deepEqual(missing, []);
});

test("the lockfile names every platform's packages and no download address", async (t) => {
  const text = await readFile(join(project, "package-lock.json"), "utf8");
  const { packages } = JSON.parse(text) as {
    packages: Record<string, { optionalDependencies?: Record<string, string> }>;
  };

  const missing = Object.values(packages).flatMap(({ optionalDependencies = {} }) =>
    Object.keys(optionalDependencies).filter(
      (name) => packages[`node_modules/${name}`] === undefined,
    ),
  );

  t.deepEqual(missing, [], "npm ci refuses a lockfile without them");
  t.notRegex(text, /"resolved":/);
});
