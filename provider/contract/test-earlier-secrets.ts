import { HttpError } from "#sdk/errors.ts";
import { labels } from "#sdk/labels.ts";
import type { FunctionDeployment } from "#sdk/messages.ts";
import type { Engine, KeptVersion } from "../provider.ts";
import { eventually } from "../test-kit.ts";
import { type Check, call, callEndpoint, endpointsOf, failure, released } from "./contract-kit.ts";

/** Values that secrets had before, for a release that is brought back with them. */
export function testEarlierSecrets(check: Check): void {
  check(
    "a release that is brought back with its secrets has their values of then, and no other function has",
    async (t, { engine, image }) => {
      await engine.createSecret(keyOf("first"));
      await engine.deploy({ service: "other", image, secrets: ["key"] });
      await engine.deploy(asking(image, "one", 1));
      await engine.updateSecret(keyOf("old"));
      await engine.deploy(asking(image, "two", 2));
      await engine.updateSecret(keyOf("new"));
      const watched = watch(engine);

      await engine.deploy(await withSecrets(engine, asking(image, "one", 3), "r-one"));

      t.is(await readKey(engine), "old");
      t.is(await readKey(engine, "other"), "new");
      await eventually(() => watched.seen.has("one old"), true);
      await watched.stop();
      t.deepEqual(watched.seen, new Set(["two new", "one old"]));
      t.deepEqual((await engine.status("fn"))?.earlierSecrets, ["key"]);
      t.is((await engine.status("other"))?.earlierSecrets, undefined);
    },
  );

  check(
    "it keeps them when its replica and the platform are started again, until the next deploy",
    async (t, under) => {
      const { image } = under;
      await bringBack(under.engine, image);

      const engine = await under.reopen();
      const restarted = await eventually(() => readKey(engine), "old");
      const before = await call(engine, "fn", "/who");
      await call(engine, "fn", "/exit?code=3").catch(() => "");
      await eventually(
        () => call(engine, "fn", "/who"),
        (text: unknown) => text !== before,
      );
      const again = await readKey(engine);
      await engine.deploy(asking(image, "three", 4));

      t.deepEqual([restarted, again], ["old", "old"]);
      t.is(await readKey(engine), "new");
      t.is((await engine.status("fn"))?.earlierSecrets, undefined);
    },
  );

  check(
    "an update of the secret brings it the new value, for good, and leaves its other secrets as they were",
    async (t, under) => {
      await under.engine.createSecret({ name: "other", value: Buffer.from("other old") });
      await bringBack(under.engine, under.image, ["key", "other"]);

      await under.engine.updateSecret(keyOf("newer"));
      const updated = await readKey(under.engine);
      const engine = await under.reopen();

      t.is(updated, "newer");
      t.is(await eventually(() => readKey(engine), "newer"), "newer");
      t.is(await call(engine, "fn", "/read?path=/var/openfaas/secrets/other"), "other old");
      t.deepEqual((await engine.status("fn"))?.earlierSecrets, ["other"]);
    },
  );

  check(
    "a release comes back with what it was brought back with before, also where something else serves",
    async (t, { engine, image }) => {
      const back = await bringBack(engine, image);
      await engine.deploy(asking(image, "four", 4));
      await engine.updateSecret(keyOf("newer"));

      const versions = ["r-one", "r-one-3"].map((release) => versionOf(engine, release));
      await engine.deploy({ ...back, labels: { ...back.labels, ...labelled("r-one-5", 5) } });

      t.is(versions[0], versions[1]);
      t.is(await readKey(engine), "old");
    },
  );

  check(
    "what goes back to a release whose secret was updated meanwhile has the updated value",
    async (t, { engine, image }) => {
      const back = await bringBack(engine, image);
      await engine.updateSecret(keyOf("newer"));
      await engine.deploy(asking(image, "four", 4));

      await engine.deploy({ ...back, labels: { ...back.labels, ...labelled("r-one-5", 5) } });

      t.is(await readKey(engine), "newer");
      t.is((await engine.status("fn"))?.earlierSecrets, undefined);
    },
  );

  check(
    "a version at an address of its own has the secrets of now, whatever its release was brought back with",
    async (t, { engine, image }) => {
      const back = await bringBack(engine, image);
      await engine.deploy(asking(image, "four", 4));
      engine.keepVersions("fn", [versionFor(back, "fn--00000e1")]);

      await engine.wake("fn--00000e1");

      t.is(await readKey(engine, "fn--00000e1"), "new");
    },
  );

  check(
    "values that are not kept are refused by the secret's name, and nothing changes",
    async (t, { engine, image }) => {
      await engine.createSecret(keyOf("old"));
      await engine.deploy(asking(image, "one", 1));
      await engine.deploy(asking(image, "two", 2));
      const version = versionOf(engine, "r-one");
      await engine.removeSecret("key");
      await engine.createSecret(keyOf("new"));

      const removed = refusal(() => versionOf(engine, "r-one"));
      const unknown = refusal(() => versionOf(engine, "r-zero"));
      const deployed = await failure(engine.deploy(withVersion(asking(image, "one", 3), version)));

      for (const error of [removed, unknown, deployed]) {
        t.like(error, { status: 409, code: "secrets-not-kept" });
        t.regex(error.message, /"fn" .* earlier values of "key".* without --with-secrets/);
      }
      t.is(await call(engine, "fn"), "two");
      t.is((await engine.status("fn"))?.problem, undefined);
    },
  );

  check("values of a release that is kept no longer are gone", async (t, { engine, image }) => {
    const one = asking(image, "one", 1);
    const two = asking(image, "two", 2);
    await engine.createSecret(keyOf("old"));
    await engine.deploy(one);
    await engine.deploy(two);
    engine.keepVersions("fn", [versionFor(two, "fn--00000e2"), versionFor(one, "fn--00000e1")]);
    await engine.updateSecret(keyOf("new"));
    const kept = versionOf(engine, "r-one");

    engine.keepVersions("fn", [versionFor(two, "fn--00000e2")]);

    t.regex(kept, /^[0-9a-f]{32}$/);
    const gone = () => refusal(() => versionOf(engine, "r-one")).code;
    t.is(await eventually(gone, "secrets-not-kept"), "secrets-not-kept");
  });

  check(
    "a secret whose earlier values are forgotten has that of now everywhere, and never another again",
    async (t, under) => {
      await bringBack(under.engine, under.image);
      const unknown = await failure(under.engine.forgetEarlierSecret("gone"));

      await under.engine.forgetEarlierSecret("key");

      t.like(unknown, { status: 404, code: "not-found" });
      t.is(await readKey(under.engine), "new");
      t.is((await under.engine.status("fn"))?.earlierSecrets, undefined);
      t.is(refusal(() => versionOf(under.engine, "r-one")).code, "secrets-not-kept");
      const engine = await under.reopen();
      t.is(await eventually(() => readKey(engine), "new"), "new");
    },
  );
}

function keyOf(value: string) {
  return { name: "key", value: Buffer.from(value) };
}

function labelled(release: string, fence: number): Record<string, string> {
  return { [labels.release]: release, [labels.fence]: String(fence) };
}

/** `r-<version>`, and with its fence when it is not the first of it. */
function asking(image: string, version: string, fence: number): FunctionDeployment {
  const release = version === "one" && fence > 1 ? `r-${version}-${fence}` : `r-${version}`;
  return { ...released(image, release, fence, version), secrets: ["key"] };
}

/** "one" serves with "old" again, after "two" with "new". */
async function bringBack(
  engine: Engine,
  image: string,
  secrets: readonly string[] = ["key"],
): Promise<FunctionDeployment> {
  await engine.createSecret(keyOf("old"));
  await engine.deploy({ ...asking(image, "one", 1), secrets });
  await engine.deploy({ ...asking(image, "two", 2), secrets });
  for (const name of secrets) await engine.updateSecret({ name, value: Buffer.from("new") });
  const back = await withSecrets(engine, { ...asking(image, "one", 3), secrets }, "r-one");
  await engine.deploy(back);
  return back;
}

async function withSecrets(
  engine: Engine,
  deployment: FunctionDeployment,
  release: string,
): Promise<FunctionDeployment> {
  const { secrets = [] } = deployment;
  return withVersion(deployment, engine.secretsVersion("fn", { release, secrets }));
}

function withVersion(deployment: FunctionDeployment, version: string): FunctionDeployment {
  return { ...deployment, labels: { ...deployment.labels, [labels.secretsVersion]: version } };
}

function versionOf(engine: Engine, release: string): string {
  return engine.secretsVersion("fn", { release, secrets: ["key"] });
}

function refusal(ask: () => unknown): Pick<HttpError, "status" | "code" | "message"> {
  try {
    ask();
  } catch (error) {
    if (error instanceof HttpError) return error;
    throw error;
  }
  return { status: 200, code: "kept", message: "It is kept." };
}

function versionFor(deployment: FunctionDeployment, name: string): KeptVersion {
  const release = deployment.labels?.[labels.release] ?? "";
  const fence = Number(deployment.labels?.[labels.fence]);
  return { name, release, fence, deployment, createdAt: "2026-11-20T12:00:00.000Z" };
}

function readKey(engine: Engine, name = "fn"): Promise<string> {
  return call(engine, name, "/read?path=/var/openfaas/secrets/key");
}

/** Which version answers with which value, asked over and over until stopped. */
function watch(engine: Engine) {
  const seen = new Set<string>();
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      const [endpoint = ""] = endpointsOf(engine, "fn");
      const paths = ["/", "/read?path=/var/openfaas/secrets/key"];
      const asked = Promise.all(paths.map((path) => callEndpoint(endpoint, path)));
      // It may have ended since the endpoint was read.
      const pair = await asked.catch(() => undefined);
      if (pair !== undefined) seen.add(pair.join(" "));
    }
  })();
  return {
    seen,
    stop() {
      isOver = true;
      return watching;
    },
  };
}
