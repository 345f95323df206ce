import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { chown, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import test, { type ExecutionContext } from "ava";
import { z } from "zod";
import { callEndpoint } from "../contract/contract-kit.ts";
import { eventually } from "../test-kit.ts";
import { buildTestFunction, openOn, openUnderTest } from "./test-kit.ts";

/** The user that stands for somebody who is not root. */
const ORDINARY_USER = 65_534;
const isRoot = process.getuid?.() === 0;

type World = {
  readonly title: string;
  readonly userId?: number;
  readonly isolation: "auto" | "none";
  /** What `up` says. */
  readonly text: RegExp;
};

const root: World = { title: "as root", isolation: "auto", text: /^own user, mounts/ };
const ordinary: World = {
  title: "as an ordinary user",
  userId: ORDINARY_USER,
  isolation: "auto",
  text: /all as your user/,
};
const plain: World = { title: "without namespaces", isolation: "none", text: /^none/ };
const testAsRoot = isRoot ? test : test.skip;

for (const world of [root, ordinary]) {
  testAsRoot(
    `${world.title}, kill -9 of the platform ends replicas and what they started`,
    async (t) => {
      const { host, call, mark } = await startHost(t, world);
      await call("/spawn?detached=true");
      const before = await findMarked(mark);

      host.kill("SIGKILL");

      t.true(before.length >= 2);
      t.deepEqual(await eventually(() => findMarked(mark), []), []);
    },
  );

  testAsRoot(
    `${world.title}, a function sees its own files and nothing of the platform's`,
    async (t) => {
      const { call, folder } = await startHost(t, world);

      const seen = {
        root: await call("/list?path=/"),
        record: await call(`/read?path=${folder}/engine/functions/fn.json`),
        secrets: await call(`/list?path=${folder}/engine/secrets`),
        processes: (await call("/list?path=/proc")).split(" ").filter((name) => /^\d+$/.test(name)),
        shadow: await call("/read?path=/etc/shadow"),
        secret: await call("/read?path=/var/openfaas/secrets/token"),
        overwriteSecret: await call("/write?path=/var/openfaas/secrets/token"),
        overwriteCode: await call("/write?path=/home/app/main.mjs"),
        writeSystem: await call("/write?path=/etc/mark"),
        writeTemporary: await call("/write?path=/tmp/mark"),
      };

      t.false(/\b(root|home\/|work|mnt)\b/.test(seen.root), seen.root);
      t.true(seen.processes.length < 8, seen.processes.join(" "));
      t.deepEqual(
        { ...seen, root: undefined, processes: undefined },
        {
          root: undefined,
          processes: undefined,
          record: "ENOENT",
          secrets: "ENOENT",
          shadow: "EACCES",
          secret: "its value",
          overwriteSecret: "EROFS",
          overwriteCode: "EROFS",
          writeSystem: "EACCES",
          writeTemporary: "done",
        },
      );
    },
  );
}

for (const world of [root, plain]) {
  const run = world === root ? testAsRoot : test;
  run(`${world.title}, nothing of the platform's environment reaches a function`, async (t) => {
    const { call, mark } = await startHost(t, world, { PLATFORM_TOKEN: "secret", HOME: "/root" });

    const { PATH, HOME, TMPDIR, LANG, ...rest } = JSON.parse(await call("/env"));

    const own = world === root ? {} : { OPENFAAS_SECRETS: rest.OPENFAAS_SECRETS };
    t.deepEqual(rest, { mark, ...own });
    t.is(LANG, "C.UTF-8");
    t.regex(PATH, /^(\/platform\/bin|\/.*\/bin):\/usr\/local\/sbin:/);
    t.false([HOME, TMPDIR].includes("/root"));
  });
}

testAsRoot("as root, a function has a user of its own", async (t) => {
  const { call } = await startHost(t, root);

  const { uid } = JSON.parse(await call("/who"));

  t.true(uid >= 61_184, String(uid));
});

testAsRoot("as root, a function cannot put another socket in the place of its own", async (t) => {
  const { call } = await startHost(t, root);

  const removed = await call("/remove?path=/run/function/http.sock");
  const written = await call("/write?path=/run/function/other.sock");

  t.deepEqual([removed, written], ["EACCES", "EACCES"]);
});

test("a link in the place of a socket is never followed", async (t) => {
  const under = await openUnderTest({ healthDeadlineMs: 500 });
  t.teardown(under.dispose);
  const envVars = { behaviour: "link" };

  const deploy = under.engine.deploy({ service: "fn", image: under.image, envVars });

  await t.throwsAsync(deploy, { message: /it never listened on its socket/ });
});

test("without namespaces, kill -9 ends replicas, and the next start what they left running", async (t) => {
  const { host, call, folder, mark } = await startHost(t, plain);
  const grandchild = Number(await call("/spawn"));

  host.kill("SIGKILL");
  const left = await eventually(() => findMarked(mark), [grandchild]);
  const engine = await openOn(folder, { isolation: "none" });
  t.teardown(() => engine.close(0));

  t.deepEqual(left, [grandchild]);
  t.false((await findMarked(mark)).includes(grandchild));
});

test("without namespaces, secrets are in the folder that OPENFAAS_SECRETS names", async (t) => {
  const { call } = await startHost(t, plain);

  const { OPENFAAS_SECRETS } = JSON.parse(await call("/env"));

  t.is(await call(`/read?path=${OPENFAAS_SECRETS}/token`), "its value");
});

type Host = {
  readonly host: ChildProcess;
  readonly folder: string;
  /** In the environment of everything the function starts. */
  readonly mark: string;
  call(path: string): Promise<string>;
};

const hello = z.object({ isolation: z.string(), endpoint: z.string() });

/** Run `engine-host.ts` in a process of its own, as the world's user. */
async function startHost(
  t: ExecutionContext,
  world: World,
  env: Readonly<Record<string, string>> = {},
): Promise<Host> {
  const folder = await mkdtemp(join(tmpdir(), "ofc-host-"));
  const mark = randomUUID();
  const image = await buildTestFunction(join(folder, "artifacts"));
  const { userId } = world;
  if (userId !== undefined) await chown(folder, userId, userId);
  const program = new URL("engine-host.ts", import.meta.url).pathname;
  const host = spawn(process.execPath, [program, folder, image, world.isolation, mark], {
    stdio: ["ignore", "pipe", "inherit"],
    env,
    ...(userId === undefined ? {} : { uid: userId, gid: userId }),
  });
  t.teardown(async () => {
    host.kill("SIGKILL");
    if (host.exitCode === null && host.signalCode === null) await once(host, "exit");
    await eventually(() => removeFolder(folder), true);
  });
  const [line] = await once(createInterface({ input: host.stdout }), "line");
  const { isolation, endpoint } = hello.parse(JSON.parse(line));
  t.regex(isolation, world.text);
  return { host, folder, mark, call: (path) => callEndpoint(endpoint, path) };
}

async function removeFolder(folder: string): Promise<boolean> {
  await rm(folder, { recursive: true, force: true });
  return true;
}

/** Living processes with the mark in their environment, as the host numbers them. */
async function findMarked(mark: string): Promise<number[]> {
  const names = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const environments = await Promise.all(
    names.map((name) => readFile(`/proc/${name}/environ`, "utf8").catch(() => "")),
  );
  return names.filter((_, index) => environments[index]?.includes(mark)).map(Number);
}
