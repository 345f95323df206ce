import { labels } from "#sdk/labels.ts";
import type { FunctionDeployment } from "#sdk/messages.ts";
import { type Check, call, failure, released, required } from "./contract-kit.ts";

/** What a deploy accepts, refuses, and brings about. */
export function testDeploys(check: Check): void {
  check(
    "a deploy resolves once the function serves, and says what was asked for",
    async (t, { engine, image }) => {
      const asked: FunctionDeployment = {
        service: "hello",
        image,
        envProcess: "cat",
        envVars: { version: "one" },
        labels: { canary: "true" },
        annotations: { note: "line one\n\tline two" },
        limits: { memory: "5Mi", cpu: "100m" },
      };

      const identity = await engine.deploy(asked);

      t.is(await call(engine, "hello"), "one");
      t.is(identity.fence, 1);
      const { createdAt, ...status } = required(await engine.status("hello"));
      const { service, ...echoed } = asked;
      t.deepEqual(status, {
        ...echoed,
        name: service,
        namespace: "openfaas-fn",
        labels: { canary: "true", faas_function: "hello" },
        invocationCount: 0,
        replicas: 1,
        availableReplicas: 1,
      });
      t.true(Math.abs(Date.parse(createdAt) - Date.now()) < 30_000);
      t.deepEqual(await engine.list(), [{ ...status, createdAt }]);
    },
  );

  check(
    "the environment is exactly the deployment's and what every program expects",
    async (t, { engine, image }) => {
      const envVars = {
        version: "1",
        text: "two\nlines 'quoted' $(id) \\n",
        empty: "",
        trail: "x\n",
      };
      await engine.deploy({ service: "env", image, envProcess: "cat -", envVars });

      const env: Record<string, string> = JSON.parse(await call(engine, "env", "/env"));

      const { PATH, HOME, TMPDIR, LANG, HOSTNAME, healthcheck_interval, ...rest } = env;
      t.truthy(PATH);
      t.deepEqual(rest, { ...envVars, fprocess: "cat -" });
    },
  );

  check("a known release is a success without effect", async (t, { engine, image }) => {
    const release = { [labels.release]: "r1", [labels.fence]: "5" };
    await engine.deploy({ service: "known", image, labels: release });
    const before = await call(engine, "known", "/who");

    const again = await engine.deploy({ service: "known", image, labels: release });

    t.deepEqual(again, { release: "r1", fence: 5 });
    t.is(await call(engine, "known", "/who"), before);
  });

  check(
    "a lower fence is refused with 409 that names the fence in force",
    async (t, { engine, image }) => {
      await engine.deploy(released(image, "new", 8, "new"));

      const error = await failure(engine.deploy(released(image, "old", 7, "old")));

      t.like(error, { status: 409, code: "stale-fence" });
      t.regex(error.message, /fence 8/);
      t.is(await call(engine, "fn"), "new");
    },
  );

  check(
    "a deploy over another owner's function is refused and changes nothing, unless forced",
    async (t, { engine, image }) => {
      const owned = (owner: string, version: string): FunctionDeployment => ({
        service: "fn",
        image,
        envVars: { version },
        labels: { [labels.gitOwnerId]: owner, [labels.gitRepoId]: "github:1" },
      });
      await engine.deploy(owned("github:1", "mine"));

      const attempts = await Promise.all([
        failure(engine.deploy(owned("github:2", "theirs"))),
        failure(engine.deploy({ service: "fn", image })),
      ]);

      t.deepEqual(
        attempts.map(({ status, code }) => ({ status, code })),
        [
          { status: 409, code: "owned-by-another" },
          { status: 409, code: "owned-by-another" },
        ],
      );
      t.is(await call(engine, "fn"), "mine");
      await engine.deploy(owned("github:2", "forced"), { force: true });
      t.is(await call(engine, "fn"), "forced");
    },
  );

  check(
    "of two owners who deploy one new name at once exactly one gets it",
    async (t, { engine, image }) => {
      const owned = (owner: string): FunctionDeployment => ({
        service: "fn",
        image,
        labels: { [labels.gitOwnerId]: owner, [labels.gitRepoId]: "github:1" },
      });

      const results = await Promise.allSettled([
        engine.deploy(owned("github:1")),
        engine.deploy(owned("github:2")),
      ]);

      t.deepEqual(results.map(({ status }) => status).toSorted(), ["fulfilled", "rejected"]);
    },
  );

  check(
    "create refuses a function that exists and update one that does not",
    async (t, { engine, image }) => {
      const missing = await failure(engine.deploy({ service: "fn", image }, { mode: "update" }));
      await engine.deploy({ service: "fn", image }, { mode: "create" });
      const existing = await failure(engine.deploy({ service: "fn", image }, { mode: "create" }));

      t.like(missing, { status: 404, code: "not-found" });
      t.like(existing, { status: 409, code: "exists" });
    },
  );

  check(
    "an image that is not there and a secret that is not there are refused before anything changes",
    async (t, { engine, image }) => {
      const nowhere = `nowhere:1@sha256:${"0".repeat(64)}`;

      const noImage = await failure(engine.deploy({ service: "fn", image: nowhere }));
      const noSecret = await failure(engine.deploy({ service: "fn", image, secrets: ["gone"] }));

      t.like(noImage, { status: 400, code: "missing-image" });
      t.like(noSecret, { status: 400, code: "missing-secret" });
      t.deepEqual(await engine.list(), []);
    },
  );

  check("endpoints name the owner whose host serves them", async (t, { engine, image }) => {
    await engine.deploy({ service: "alice-fn", image, labels: { [labels.gitOwner]: "Alice" } });

    t.like(engine.endpoints()[0], { name: "alice-fn", owner: "alice", replicas: 1 });
  });

  check(
    "a removed function is gone at once, and its name can be created while the old one drains",
    async (t, { engine, image }) => {
      await engine.deploy({ service: "fn", image, envVars: { version: "first" } });
      const slow = call(engine, "fn", "/slow?ms=500");

      await engine.remove("fn");
      const gone = await engine.status("fn");
      const listed = await engine.list();
      await engine.deploy(
        { service: "fn", image, envVars: { version: "second" } },
        { mode: "create" },
      );

      t.is(gone, undefined);
      t.deepEqual(listed, []);
      t.is(await call(engine, "fn"), "second");
      t.is(await slow, "slow");
      for (const missing of [engine.remove("no"), engine.scale("no", 1)])
        t.like(await failure(missing), { status: 404, code: "not-found" });
    },
  );
}
