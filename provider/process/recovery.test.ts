import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import test, { type ExecutionContext } from "ava";
import { z } from "zod";
import { labels } from "#sdk/labels.ts";
import { call } from "../contract/contract-kit.ts";
import { eventually } from "../test-kit.ts";
import { buildArtifact, buildTestFunction, openOn, openUnderTest } from "./test-kit.ts";

const run = promisify(execFile);

for (const afterMs of [0, 13, 29, 47]) {
  test(`kill -9 ${afterMs} ms into a deploy loses no release that was acknowledged`, async (t) => {
    const { folder, image } = await setUp(t);
    const acknowledged = await killAfter(folder, image, afterMs);

    const engine = await openOn(folder, { isolation: "none" });
    t.teardown(() => engine.close(0));
    await engine.ready();

    const version = Number(
      await eventually(
        () => call(engine, "fn"),
        (text: unknown) => text !== "",
      ),
    );
    t.true(version === acknowledged || version === acknowledged + 1, `${version}`);
    t.is((await engine.inventory())[0]?.current.fence, version);
    t.is((await engine.status("fn"))?.envVars?.version, String(version));
  });
}

test("a release that was declared when the platform stopped is published by the next", async (t) => {
  const under = await openUnderTest({ isolation: "none" });
  t.teardown(under.dispose);
  const { engine, image } = under;
  const declared = Promise.withResolvers<void>();
  const deployment = {
    service: "fn",
    image,
    envVars: { version: "declared" },
    labels: { [labels.release]: "r1", [labels.fence]: "1" },
  };
  const first = engine.deploy(deployment, { onDeclared: declared.resolve }).catch(() => "stopped");
  await declared.promise;

  const again = await under.reopen();

  t.is(await first, "stopped");
  t.is(await call(again, "fn"), "declared");
  t.deepEqual(await again.deploy(deployment), { release: "r1", fence: 1 });
});

test("a replica that something else kills while it starts is started again, a few times", async (t) => {
  const under = await openUnderTest({ isolation: "none" });
  t.teardown(under.dispose);
  const { engine, image, folder } = under;
  const file = join(folder, "behaviour");
  await writeFile(file, "deaf");
  const deploy = (version: string) =>
    engine.deploy({ service: "fn", image, envVars: { version, behaviour_file: file } });
  const unlucky = deploy("1");
  await killOne(folder);
  await killOne(folder);
  await writeFile(file, "");
  await killOne(folder);

  await unlucky;

  t.is(await call(engine, "fn"), "1");
  await writeFile(file, "deaf");
  const hopeless = t.throwsAsync(deploy("2"), { message: /SIGKILL|137/ });
  for (let kill = 0; kill < 4; kill++) await killOne(folder, 1);
  await hopeless;
  t.is(await call(engine, "fn"), "1");
});

test("closing waits no longer than asked, also for versions that drain already", async (t) => {
  const under = await openUnderTest({ isolation: "none", drainMs: 60_000 });
  t.teardown(under.dispose);
  const { engine, image } = under;
  const stubborn = { service: "fn", image, envVars: { stubborn: "true" } };
  await engine.deploy(stubborn);
  await engine.deploy(stubborn);
  await engine.scale("fn", 2);
  await eventually(() => engine.endpoints()[0]?.endpoints.length, 2);
  await engine.scale("fn", 1);
  const begun = performance.now();

  await engine.close(400);

  t.true(performance.now() - begun < 5_000);
  t.deepEqual(await readdir(join(under.folder, "engine/processes")), []);
});

test("a failed release is not tried again by a restart", async (t) => {
  const under = await openUnderTest({ isolation: "none" });
  t.teardown(under.dispose);
  const envVars = { behaviour: "exit" };
  await t.throwsAsync(under.engine.deploy({ service: "fn", image: under.image, envVars }));

  const again = await under.reopen();

  t.regex((await again.status("fn"))?.problem ?? "", /code 7/);
  t.deepEqual(again.endpoints()[0]?.endpoints, []);
});

test("half-written files of an interrupted platform are cleared away", async (t) => {
  const { folder } = await setUp(t);
  const left = ["functions/fn.json.1-x.tmp", "secrets/token.1-x.tmp"];
  await (await openOn(folder, { isolation: "none" })).close(0);
  for (const path of left) await writeFile(join(folder, "engine", path), "half");

  const engine = await openOn(folder, { isolation: "none" });
  t.teardown(() => engine.close(0));

  t.deepEqual(await readdir(join(folder, "engine/functions")), []);
  t.deepEqual(await readdir(join(folder, "engine/secrets")), []);
});

test("a function's record that cannot be read stops the start and is named", async (t) => {
  const { folder } = await setUp(t);
  await (await openOn(folder, { isolation: "none" })).close(0);
  await writeFile(join(folder, "engine/functions/fn.json"), '{"v":2}');

  await t.throwsAsync(openOn(folder, { isolation: "none" }), { message: /functions\/fn\.json/ });
});

test("a data folder whose sockets would have too long a path is refused with the remedy", async (t) => {
  const { folder } = await setUp(t);

  const long = join(folder, "x".repeat(90));

  await t.throwsAsync(openOn(long, { isolation: "none" }), { message: /shorter --data/ });
});

const testAsRoot = process.getuid?.() === 0 ? test : test.skip;

testAsRoot(
  "on a full disk a deploy is refused, the old version serves on, and room heals it",
  async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "ofc-full-"));
    await run("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]);
    t.teardown(async () => {
      await run("umount", ["--lazy", folder]);
      await rm(folder, { recursive: true });
    });
    const image = await buildTestFunction(join(folder, "artifacts"));
    const engine = await openOn(folder, { isolation: "none" });
    t.teardown(() => engine.close(0));
    const deploy = (version: string) =>
      engine.deploy({ service: "fn", image, envVars: { version } });
    await deploy("old");
    await t.throwsAsync(writeFile(join(folder, "big"), Buffer.alloc(2 * 1024 * 1024)));

    await t.throwsAsync(deploy("new"), { code: "not-recorded", message: /ENOSPC/ });
    await call(engine, "fn", "/print?text=x&times=20000");
    const during = await call(engine, "fn");
    await rm(join(folder, "big"));
    await deploy("healed");

    t.deepEqual([during, await call(engine, "fn")], ["old", "healed"]);
  },
);

test("a program of another language runs under the watchdog, isolated or not", async (t) => {
  for (const isolation of ["auto", "none"] as const) {
    const under = await openUnderTest({ isolation });
    t.teardown(under.dispose);
    const image = await buildArtifact(
      join(under.folder, "artifacts"),
      ["watchdog"],
      async () => {},
    );

    await under.engine.deploy({
      service: "fn",
      image,
      envProcess: "env",
      envVars: { colour: "red" },
    });

    t.regex(await call(under.engine, "fn"), /colour=red/, under.engine.isolation);
  }
});

test("a program that runs for a request is let finish, isolated or not", async (t) => {
  for (const isolation of ["auto", "none"] as const) {
    const under = await openUnderTest({ isolation, drainMs: 5_000 });
    t.teardown(under.dispose);
    const image = await buildArtifact(
      join(under.folder, "artifacts"),
      ["watchdog"],
      async (root) => {
        await writeFile(join(root, "slow.sh"), "sleep 0.6; echo finished");
      },
    );
    const deployment = { service: "fn", image, envProcess: "sh slow.sh" };
    await under.engine.deploy(deployment);
    const slow = call(under.engine, "fn");

    await under.engine.deploy({ ...deployment, envVars: { version: "2" } });

    t.is((await slow).trim(), "finished", under.engine.isolation);
  }
});

test("a program that asks for node gets the platform's own, isolated or not", async (t) => {
  for (const isolation of ["auto", "none"] as const) {
    const under = await openUnderTest({ isolation });
    t.teardown(under.dispose);
    const image = await buildArtifact(
      join(under.folder, "artifacts"),
      ["watchdog"],
      async () => {},
    );

    await under.engine.deploy({ service: "fn", image, envProcess: "node --version" });

    t.is((await call(under.engine, "fn")).trim(), process.version, under.engine.isolation);
  }
});

test("a program that is not there is told by its name", async (t) => {
  const under = await openUnderTest({ isolation: "none" });
  t.teardown(under.dispose);
  const image = await buildArtifact(
    join(under.folder, "artifacts"),
    ["cobol", "x"],
    async () => {},
  );

  const error = await t.throwsAsync(under.engine.deploy({ service: "fn", image }));

  t.regex(String(error?.cause ?? error?.message), /cobol/);
});

async function setUp(t: ExecutionContext) {
  const folder = await mkdtemp(join(tmpdir(), "ofc-recovery-"));
  t.teardown(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  return { folder, image: await buildTestFunction(join(folder, "artifacts")) };
}

const killed = new Set<number>();

/** Kill the newest replica, which is another than those killed before, beside `serving` others. */
async function killOne(folder: string, serving = 0): Promise<void> {
  const isNew = (pids: number[]) => pids.length > serving && !killed.has(pids[0] ?? 0);
  const [pid = 0] = await eventually(() => listReplicas(folder), isNew, 15_000);
  killed.add(pid);
  process.kill(pid, "SIGKILL");
}

/** Process ids of the running replicas, the newest first. */
async function listReplicas(folder: string): Promise<number[]> {
  const processes = join(folder, "engine/processes");
  const texts = await Promise.all(
    (await readdir(processes)).map((name) => readFile(join(processes, name), "utf8")),
  );
  const replicas = z.array(z.object({ pid: z.number(), startTime: z.number() }));
  return replicas
    .parse(texts.map((text): unknown => JSON.parse(text)))
    .toSorted((a, b) => b.startTime - a.startTime)
    .map(({ pid }) => pid);
}

/** Kill a platform that deploys in a loop, so long after an acknowledged deploy; the fence of the last. */
async function killAfter(folder: string, image: string, afterMs: number): Promise<number> {
  const program = new URL("release-host.ts", import.meta.url).pathname;
  const host = spawn(process.execPath, [program, folder, image], {
    stdio: ["ignore", "pipe", "inherit"],
    env: {},
  });
  let acknowledged = 0;
  const lines = createInterface({ input: host.stdout }).on("line", (line) => {
    acknowledged = Number(line);
  });
  await once(lines, "line");
  setTimeout(() => host.kill("SIGKILL"), afterMs);
  await once(host, "close");
  return acknowledged;
}
