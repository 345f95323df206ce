import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import test from "ava";
import { COMMANDS } from "../cli/command-table.ts";

const run = promisify(execFile);
const project = join(import.meta.dirname, "..");
const page = await readFile(join(project, "docs/operate.md"), "utf8");

test("systemd finds nothing wrong with the unit of docs/operate.md", async (t) => {
  const hasSystemd = await run("systemd-analyze", ["--version"]).then(
    () => true,
    () => false,
  );
  if (!hasSystemd) {
    t.log("skipped: systemd-analyze is not on the PATH");
    t.pass();
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), "unit-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const [, unit = ""] = /```ini\n([\s\S]*?)```/.exec(page) ?? [];
  // Where the tree is on this machine, and a user that it has.
  const here = unit.replaceAll("/opt/ofc", project).replace(/^(User|Group)=ofc$/gm, "$1=root");
  const file = join(folder, "ofc.service");
  await writeFile(file, here);

  const { stdout, stderr } = await run("systemd-analyze", ["verify", "--man=no", file]);

  t.regex(unit, /^ExecStart=\/opt\/ofc\/ofc up /m);
  t.is(`${stdout}${stderr}`, "");
});

test("every command that docs/operate.md tells to type is there", (t) => {
  const known = new Set(COMMANDS.map(({ usage }) => usage.split(" ")[0]));

  const told = [...page.matchAll(/(?:\.\/ofc|\/ofc\/ofc) ([a-z]+)/g)].map(([, name = ""]) => name);

  t.true(told.length >= 10);
  t.deepEqual(
    told.filter((name) => !known.has(name)),
    [],
  );
});

test("every setting that docs/operate.md names is in a room's README", async (t) => {
  const rooms = ["cli", "builder", "forge", "gateway", "queue"];
  const functions = ["git-tar", "github-push", "pipeline-log"].map((name) => `functions/${name}`);
  const readmes = await Promise.all(
    [...rooms, ...functions].map((room) => readFile(join(project, room, "README.md"), "utf8")),
  );

  const [, settings = ""] = page.split("## Ports");
  const named = [...settings.matchAll(/`([a-z]+(?:_[a-z]+)+)`/g)].map(([, name = ""]) => name);

  t.true(named.length >= 15);
  t.deepEqual(
    named.filter((name) => !readmes.some((text) => text.includes(`\`${name}\``))),
    [],
  );
});
