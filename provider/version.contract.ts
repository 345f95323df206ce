import { setTimeout as sleep } from "node:timers/promises";
import type { TestFn } from "ava";
import { labels } from "#sdk/labels.ts";
import { call, callEndpoint, createCheck, type EngineUnderTest } from "./contract/contract-kit.ts";
import type { Engine, FunctionEndpoints, KeptVersion } from "./provider.ts";
import { eventually } from "./test-kit.ts";

/** Declare the tests of versions at addresses of their own, which every engine must pass too. */
export function testVersions(test: TestFn, open: () => Promise<EngineUnderTest>): void {
  const check = createCheck(test, open);

  check(
    "a kept version sleeps until it is woken, serves beside the function, and sleeps when nobody calls it",
    async (t, { engine, image }) => {
      await engine.deploy(releaseOf(image, "two").deployment);
      engine.keepVersions("fn", [releaseOf(image, "two"), releaseOf(image, "one")]);
      const before = endpointsOf(engine, "fn--00000e1");

      await engine.wake("fn--00000e1");
      const answers = [await call(engine, "fn--00000e1"), await call(engine, "fn")];
      const awake = endpointsOf(engine, "fn--00000e1");
      const [endpoint = ""] = awake?.endpoints ?? [];

      const asleep = { name: "fn--00000e1", namespace: "openfaas-fn", endpoints: [], replicas: 0 };
      t.deepEqual(before, { ...asleep, idleMs: 8_000, owner: "alice" });
      t.deepEqual(answers, ["one", "two"]);
      t.is(awake?.replicas, 1);
      t.deepEqual(await eventually(() => endpointsOf(engine, "fn--00000e1"), before), before);
      t.is(await eventually(() => isGone(endpoint), true), true);
      t.is(await call(engine, "fn"), "two");
    },
  );

  check(
    "what serves is reached by its version's name without a second copy, and sleeps once something else serves",
    async (t, { engine, image }) => {
      const [one, two] = [releaseOf(image, "one"), releaseOf(image, "two")];
      await engine.deploy(one.deployment);
      engine.keepVersions("fn", [one]);
      const shared = endpointsOf(engine, one.name);
      await engine.wake(one.name);

      await engine.deploy(two.deployment);
      engine.keepVersions("fn", [two, one]);

      t.deepEqual(shared?.endpoints.length, 1);
      t.is(shared?.idleMs, undefined);
      t.deepEqual(endpointsOf(engine, two.name), { ...endpointsOf(engine, "fn"), name: two.name });
      t.like(endpointsOf(engine, one.name), { endpoints: [], replicas: 0, idleMs: 8_000 });
    },
  );

  check(
    "a version that serves again after it was woken gives its own copy up",
    async (t, { engine, image }) => {
      const [one, two] = [releaseOf(image, "one"), releaseOf(image, "two")];
      await engine.deploy(two.deployment);
      engine.keepVersions("fn", [two, one]);
      await engine.wake(one.name);

      await engine.deploy(again(one, 3));

      t.deepEqual(endpointsOf(engine, one.name), { ...endpointsOf(engine, "fn"), name: one.name });
      t.deepEqual(await eventually(() => engine.versionImages(), []), []);
      t.is(await call(engine, one.name), "one");
    },
  );

  check("a version that is woken by many at once starts once", async (t, { engine, image }) => {
    const one = releaseOf(image, "one");
    await engine.deploy(releaseOf(image, "two").deployment);
    engine.keepVersions("fn", [one]);

    await Promise.all(Array.from({ length: 100 }, () => engine.wake(one.name)));

    t.is(endpointsOf(engine, one.name)?.endpoints.length, 1);
    const [first, second] = ["started version one", "started version two"];
    const all = async () => (await readLog(engine)).toSorted();
    t.deepEqual(await eventually(all, [first, second]), [first, second]);
    t.deepEqual(await readLog(engine, one.name), [first]);
  });

  check(
    "a request that a version is answering when it is sent to sleep is finished",
    async (t, { engine, image }) => {
      const one = releaseOf(image, "one");
      await engine.deploy(releaseOf(image, "two").deployment);
      engine.keepVersions("fn", [one]);
      await engine.wake(one.name);

      const answer = call(engine, one.name, "/slow?ms=700");
      engine.keepVersions("fn", []);

      t.is(endpointsOf(engine, one.name), undefined);
      t.is(await answer, "slow");
      t.deepEqual(await eventually(() => engine.versionImages(), []), []);
    },
  );

  check(
    "a version that does not become healthy says why, and is not tried again at once",
    async (t, { engine, image }) => {
      const sick = releaseOf(image, "one", { behaviour: "exit" });
      await engine.deploy(releaseOf(image, "two").deployment);
      engine.keepVersions("fn", [sick]);

      const first = await t.throwsAsync(engine.wake(sick.name));
      const second = await t.throwsAsync(engine.wake(sick.name));

      t.like(first, { code: "never-healthy", status: 424 });
      t.regex(first?.message ?? "", /"fn--00000e1" did not become healthy: .* code 7/);
      t.is(second, first);
      t.like(endpointsOf(engine, sick.name), { endpoints: [], replicas: 0 });
      const starts = async () =>
        (await readLog(engine)).filter((text) => text === "cannot start: no database").length;
      t.is(await eventually(starts, 1), 1);
    },
  );

  check("a version has the secrets of now", async (t, { engine, image }) => {
    const one = releaseOf(image, "one");
    const asking = { ...one, deployment: { ...one.deployment, secrets: ["key"] } };
    const read = () => call(engine, one.name, "/read?path=/var/openfaas/secrets/key");
    await engine.deploy(releaseOf(image, "two").deployment);
    engine.keepVersions("fn", [asking]);

    const without = await t.throwsAsync(engine.wake(one.name));
    await engine.createSecret({ name: "key", value: Buffer.from("old") });
    await engine.updateSecret({ name: "key", value: Buffer.from("new") });
    await eventually(() => engine.wake(one.name), undefined);
    const started = await read();
    await engine.updateSecret({ name: "key", value: Buffer.from("newer") });

    t.like(without, { code: "missing-secret", status: 400 });
    t.is(started, "new");
    t.is(await eventually(read, "newer"), "newer");
  });

  check(
    "no more versions are awake than may be: the one that was called longest ago goes to sleep",
    async (t, { engine, image }) => {
      const names = ["one", "two", "three"] as const;
      const kept = names.map((name) => releaseOf(image, name));
      const awake = () => kept.map(({ name }) => endpointsOf(engine, name)?.replicas).join(" ");
      await engine.deploy(releaseOf(image, "four").deployment);
      engine.keepVersions("fn", kept);

      for (const at of [0, 1, 0, 2]) await engine.wake(kept[at]?.name ?? "");

      t.is(awake(), "1 0 1");
    },
  );

  check(
    "versions are in no list of functions, and go with their function",
    async (t, { engine, image }) => {
      const one = releaseOf(image, "one");
      const unknown = () => t.throwsAsync(engine.wake(one.name));
      const nobody = await unknown();
      await engine.deploy(releaseOf(image, "two").deployment);
      engine.keepVersions("fn", [one]);
      await engine.wake(one.name);
      const listed = [await engine.list(), await engine.inventory()].flatMap((all) =>
        all.map(({ name }) => name),
      );
      const status = await engine.status(one.name);

      await engine.remove("fn");

      t.deepEqual(listed, ["fn", "fn"]);
      t.like(status, { name: one.name, replicas: 1, createdAt: one.createdAt });
      t.deepEqual(engine.endpoints(), []);
      for (const error of [nobody, await unknown()])
        t.like(error, { code: "not-found", status: 404 });
    },
  );

  check(
    "a new platform knows of no version until it is told, and none runs unseen",
    async (t, under) => {
      const one = releaseOf(under.image, "one");
      await under.engine.deploy(releaseOf(under.image, "two").deployment);
      under.engine.keepVersions("fn", [one]);
      await under.engine.wake(one.name);
      const [endpoint = ""] = endpointsOf(under.engine, one.name)?.endpoints ?? [];

      const engine = await under.reopen();
      const unknown = await t.throwsAsync(engine.wake(one.name));
      engine.keepVersions("fn", [one]);
      const wasLeft = !(await isGone(endpoint));
      await engine.wake(one.name);

      t.like(unknown, { code: "not-found" });
      t.false(wasLeft);
      t.is(await call(engine, one.name), "one");
      t.is(await eventually(() => call(engine, "fn"), "two"), "two");
    },
  );
}

const SHAS = { one: "00000e1", two: "00000e2", three: "00000e3", four: "00000e4" } as const;

/** A release of `fn` that answers its version. */
function releaseOf(
  image: string,
  version: keyof typeof SHAS,
  envVars: Readonly<Record<string, string>> = {},
): KeptVersion {
  const fence = Object.keys(SHAS).indexOf(version) + 1;
  const release = `r-${version}`;
  return {
    ...{ name: `fn--${SHAS[version]}`, release, fence, createdAt: "2026-11-20T12:00:00.000Z" },
    deployment: {
      service: "fn",
      image,
      envVars: { version, ...envVars },
      labels: {
        [labels.gitOwner]: "Alice",
        [labels.release]: release,
        [labels.fence]: String(fence),
      },
    },
  };
}

/** The deploy of a roll-back to it. */
function again({ deployment }: KeptVersion, fence: number) {
  return { ...deployment, labels: { ...deployment.labels, [labels.fence]: String(fence) } };
}

function endpointsOf(engine: Engine, name: string): FunctionEndpoints | undefined {
  return engine.endpoints().find((one) => one.name === name);
}

async function readLog(engine: Engine, name = "fn"): Promise<string[]> {
  const texts: string[] = [];
  const query = { name, follow: false, signal: new AbortController().signal };
  for await (const { text } of engine.logs(query)) texts.push(text);
  return texts;
}

/** An address that nobody has any more may as well be silent. */
function isGone(endpoint: string): Promise<boolean> {
  const answers = callEndpoint(endpoint, "/").then(
    () => false,
    () => true,
  );
  return Promise.race([answers, sleep(3_000, true, { ref: false })]);
}
