import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setImmediate } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import { findTemplate, readTemplates } from "#sdk/templates.ts";

const PLAIN = { "template.yml": "language: a\n", "function/handler.js": "1" };

test("this tree's templates build on the host, and names in the wild find them", async (t) => {
  const templates = await readTemplates();

  t.deepEqual(
    templates.map(({ name }) => name),
    ["bash", "node24", "python3-http"],
  );
  for (const [lang, name] of [
    ["node24", "node24"],
    ["node18", "node24"],
    ["node12", "node24"],
    ["node22@sha-1234567", "node24"],
    ["python3-http-debian", "python3-http"],
  ] as const)
    t.is(findTemplate(templates, lang)?.name, name);
  t.is(findTemplate(templates, "node"), undefined);
  t.true(templates.every(({ host }) => host !== undefined));
});

test("template.yml is read as faas-cli reads it, ours under host beside it", async (t) => {
  const folder = await makeTemplates(t, {
    one: {
      "template.yml":
        "language: one\nfprocess: run 1.0\nhandler_folder: src\nunknown: {}\nhost:\n  command: [watchdog]\n  env: { port: 010 }\n  aliases: [eins]\n",
      "src/handler.sh": "",
    },
  });

  const [template] = await readTemplates(folder);

  t.like(template, {
    name: "one",
    aliases: ["eins"],
    fprocess: "run 1.0",
    handlerFolder: "src",
    host: { command: ["watchdog"], install: "none", env: { port: "010" } },
  });
});

test("what a library thinks of a template is not printed between the lines of the log", async (t) => {
  const warnings: Error[] = [];
  const note = (warning: Error) => void warnings.push(warning);
  process.on("warning", note);
  t.teardown(() => process.off("warning", note));
  const folder = await makeTemplates(t, {
    a: { ...PLAIN, "template.yml": "language: a\nunknown: { [x]: y }\n" },
  });

  await readTemplates(folder);
  await setImmediate();

  t.deepEqual(warnings, []);
});

test("a template without host is listed but does not build on the host", async (t) => {
  const [template] = await readTemplates(await makeTemplates(t, { a: PLAIN }));

  t.is(template?.host, undefined);
  t.is(template?.handlerFolder, "function");
});

test("the digest changes with any content, name or mode, and with nothing else", async (t) => {
  const folders = await Promise.all([
    makeTemplates(t, { a: PLAIN }),
    makeTemplates(t, { a: PLAIN }),
    makeTemplates(t, { a: { ...PLAIN, "function/handler.js": "2" } }),
    makeTemplates(t, { a: { "template.yml": "language: a\n", "function/handler.mjs": "1" } }),
    makeTemplates(t, { a: PLAIN }),
  ]);
  await chmod(join(folders[4] ?? "", "a/function/handler.js"), 0o755);

  const [first, same, ...others] = await Promise.all(
    folders.map(async (folder) => (await readTemplates(folder))[0]?.digest),
  );

  t.is(same, first);
  t.is(new Set([first, ...others]).size, 4);
});

const WRONG: readonly [
  string,
  Readonly<Record<string, Readonly<Record<string, string>>>>,
  RegExp,
][] = [
  ["no template.yml", { a: { Dockerfile: "" } }, /has no template\.yml/],
  ["a handler folder that climbs", { a: { "template.yml": "handler_folder: ..\n" } }, /one folder/],
  ["a command that is a text", { a: { "template.yml": "host: { command: x }\n" } }, /command/],
  [
    "a template.yml that is no YAML",
    { a: { "template.yml": "host: [" } },
    /a\/template\.yml is not readable YAML: /,
  ],
  [
    "a template.yml of lists in lists without end",
    { a: { "template.yml": "a: [, b[".repeat(4_000) } },
    /a\/template\.yml has more than 16384 characters/,
  ],
  [
    "a template.yml with a tag",
    { a: { "template.yml": "fprocess: !run x\n" } },
    /a\/template\.yml is not readable YAML: Unresolved tag: !run/,
  ],
  [
    "an alias of another's name",
    { a: PLAIN, b: { "template.yml": "host: { command: [x], aliases: [a] }\n" } },
    /"a" names two templates, a and b/,
  ],
];
for (const [what, templates, message] of WRONG)
  test(`${what} is refused by name`, async (t) => {
    const folder = await makeTemplates(t, templates);

    await t.throwsAsync(readTemplates(folder), { message });
  });

async function makeTemplates(
  t: ExecutionContext,
  templates: Readonly<Record<string, Readonly<Record<string, string>>>>,
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "ofc-templates-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  for (const [name, files] of Object.entries(templates))
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, name, path)), { recursive: true });
      await writeFile(join(folder, name, path), text, { mode: 0o644 });
    }
  return folder;
}
