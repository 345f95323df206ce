import { request } from "node:http";
import type { ExecutionContext, TestFn } from "ava";
import { HttpError } from "#sdk/errors.ts";
import { labels } from "#sdk/labels.ts";
import type { FunctionDeployment } from "#sdk/messages.ts";
import type { Engine, FunctionEndpoints, LogLine } from "./provider.ts";
import { eventually } from "./test-kit.ts";
import { createTurns } from "./turns.ts";

/** What an engine brings to be tested; `image` runs `test-function/main.mjs`. */
export type EngineUnderTest = {
  readonly engine: Engine;
  readonly image: string;
  /** Close the engine and open the same data again. */
  reopen(): Promise<Engine>;
  /** End everything and remove the data. */
  dispose(): Promise<void>;
};

/** Limits the suite counts on, in milliseconds; an engine under test is opened with them. */
export const contractTimes = {
  healthDeadlineMs: 10_000,
  drainMs: 1_200,
  watchMs: 6_000,
  graceMs: 100,
  versionIdleMs: 8_000,
  versionsAwake: 2,
} as const;

/** Declare the tests that every engine must pass (design.md section 7). */
export function testEngine(test: TestFn, open: () => Promise<EngineUnderTest>): void {
  const check = createCheck(test, open);

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

  for (const [behaviour, reason] of [
    ["deaf", /listened/],
    ["sick", /500/],
    ["exit", /exited with code 7|code 7/],
  ] as const) {
    check(
      `a version that is ${behaviour} never replaces one that serves, and the reason is told`,
      async (t, { engine, image }) => {
        await engine.deploy(released(image, "good", 1, "good"));

        const bad = released(image, "bad", 2, "bad", { behaviour });
        const error = await failure(engine.deploy(bad));

        t.like(error, { status: 424, code: "never-healthy" });
        t.regex(error.message, reason);
        if (behaviour === "exit") t.regex(String(error.cause), /cannot start: no database/);
        t.is(await call(engine, "fn"), "good");
        const status = required(await engine.status("fn"));
        t.is(status.envVars?.version, "good");
        t.regex(status.problem ?? "", reason);
        t.deepEqual(required((await engine.inventory())[0]).current, { release: "good", fence: 1 });
      },
    );
  }

  check(
    "a first version that fails leaves a function without replicas that can be deployed again",
    async (t, { engine, image }) => {
      await failure(engine.deploy({ service: "fn", image, envVars: { behaviour: "exit" } }));
      const failed = required(await engine.status("fn"));

      await engine.deploy(
        { service: "fn", image, envVars: { version: "fixed" } },
        { mode: "update" },
      );

      t.is(failed.availableReplicas, 0);
      t.is(await call(engine, "fn"), "fixed");
      t.is(required(await engine.status("fn")).problem, undefined);
    },
  );

  check(
    "a failed release can be tried again under the same fence",
    async (t, { engine, image }) => {
      const bad = released(image, "same", 3, "x", { behaviour: "exit" });
      await failure(engine.deploy(bad));

      const again = await failure(engine.deploy(bad));

      t.is(again.code, "never-healthy");
    },
  );

  check(
    "a version that crashes right after its probe gives way to the one before, under a new fence",
    async (t, { engine, image }) => {
      await engine.deploy(released(image, "good", 1, "good"));

      await engine.deploy(released(image, "shaky", 2, "shaky"));
      const back = { release: "good", fence: 3 };
      const crashShaky = async () => {
        const [endpoint = ""] = endpointsOf(engine, "fn");
        const version = await callEndpoint(endpoint, "/").catch(() => "");
        if (version === "shaky") await callEndpoint(endpoint, "/exit?code=9").catch(() => "");
        return (await engine.inventory())[0]?.current;
      };

      t.deepEqual(await eventually(crashShaky, back), back);
      t.is(await call(engine, "fn"), "good");
      t.regex(required(await engine.status("fn")).problem ?? "", /shaky/);
      const { switchedBack } = required((await engine.inventory())[0]);
      t.deepEqual(switchedBack?.from, { release: "shaky", fence: 2 });
      t.regex(switchedBack?.reason ?? "", /^crash loop: replica fn-\w+ exited with code \d+$/);
      t.is((await failure(engine.deploy(released(image, "shaky", 2, "x")))).code, "stale-fence");
    },
  );

  check(
    "that a version gave way outlives a restart, and is over with the next deploy",
    async (t, under) => {
      await under.engine.deploy(released(under.image, "good", 1, "good"));
      await under.engine.deploy(released(under.image, "shaky", 2, "shaky"));
      let told = false;
      const look = async () => {
        told ||= (await under.engine.inventory())[0]?.switchedBack !== undefined;
      };
      under.engine.watchEndpoints(() => void look());
      const back = async () => {
        const version = await call(under.engine, "fn").catch(() => "");
        if (version === "shaky") await call(under.engine, "fn", "/exit?code=9").catch(() => "");
        return version;
      };
      await eventually(back, "good");
      t.true(await eventually(() => told, true));

      const engine = await under.reopen();
      const [kept] = await engine.inventory();
      const { problem } = required(await engine.status("fn"));
      await engine.deploy(released(under.image, "fixed", 4, "fixed"));

      t.deepEqual(kept?.switchedBack?.from, { release: "shaky", fence: 2 });
      t.regex(problem ?? "", /^release shaky gave way to good after a crash loop: /);
      t.is((await engine.inventory())[0]?.switchedBack, undefined);
    },
  );

  check(
    "a version that dies and cannot start again gives way to the one before",
    async (t, { engine, image }) => {
      await engine.createSecret({ name: "mode", value: Buffer.from("well") });
      await engine.deploy(released(image, "good", 1, "good"));
      const fragile = { behaviour_file: "/var/openfaas/secrets/mode" };
      await engine.deploy({ ...released(image, "bad", 2, "bad", fragile), secrets: ["mode"] });

      await engine.updateSecret({ name: "mode", value: Buffer.from("exit") });
      await call(engine, "fn", "/exit?code=1").catch(() => "");

      const version = () => call(engine, "fn").catch(() => "");
      t.is(await eventually(version, "good"), "good");
    },
  );

  check(
    "requests in flight are finished by the version that took them",
    async (t, { engine, image }) => {
      await engine.deploy(released(image, "old", 1, "old"));
      const slow = call(engine, "fn", "/slow?ms=600");
      const stream = call(engine, "fn", "/stream?lines=25");

      await engine.deploy(released(image, "new", 2, "new"));

      t.is(await call(engine, "fn"), "new");
      t.is(await slow, "slow");
      t.is((await stream).split("\n").length, 26);
    },
  );

  check(
    "a replica that never lets go is ended at the drain deadline",
    async (t, { engine, image }) => {
      await engine.deploy(released(image, "old", 1, "old", { stubborn: "true" }));
      const old = endpointsOf(engine, "fn")[0] ?? "";

      await engine.deploy(released(image, "new", 2, "new"));

      const answer = () => callEndpoint(old, "/").catch(() => "gone");
      t.is(await answer(), "old");
      t.is(await eventually(answer, "gone", contractTimes.drainMs + 30_000), "gone");
    },
  );

  check(
    "many deploys at once of one function end in the highest fence",
    async (t, { engine, image }) => {
      const fences = [3, 1, 5, 2, 6, 4];

      const results = await Promise.allSettled(
        fences.map((fence) => engine.deploy(released(image, `r${fence}`, fence, `v${fence}`))),
      );

      t.is(await call(engine, "fn"), "v6");
      t.deepEqual(required((await engine.inventory())[0]).current, { release: "r6", fence: 6 });
      for (const [index, result] of results.entries())
        if (result.status === "rejected") {
          t.is((result.reason as HttpError).code, "stale-fence");
          t.not(fences[index], 6);
        }
    },
  );

  check("requests never fail while versions are switched", async (t, { engine, image }) => {
    await engine.deploy(released(image, "r0", 1, "v0"));
    const switching = new AbortController();
    const answers = new Set<string>();
    const prober = (async () => {
      while (!switching.signal.aborted) answers.add(await call(engine, "fn"));
    })();

    for (let fence = 2; fence <= 5; fence++)
      await engine.deploy(released(image, `r${fence}`, fence, `v${fence - 1}`));
    await eventually(() => answers.has("v4"), true);
    switching.abort();
    await prober;

    t.true(answers.has("v4"));
    t.true([...answers].every((answer) => /^v[0-4]$/.test(answer)));
  });

  check(
    "scale to zero is read back at once and takes the endpoints away; scale up brings them back",
    async (t, { engine, image }) => {
      await engine.deploy({ service: "fn", image, envVars: { version: "awake" } });

      await engine.scale("fn", 0);
      const asleep = required(await engine.status("fn"));
      const count = () => endpointsOf(engine, "fn").length;
      const none = await eventually(count, 0);
      await engine.scale("fn", 2);

      t.deepEqual([asleep.replicas, none], [0, 0]);
      t.is(await eventually(count, 2), 2);
      t.is(await call(engine, "fn"), "awake");
      await engine.scale("fn", 1);
      t.is(await eventually(count, 1), 1);
    },
  );

  check(
    "labels bound the replicas, and a new version has as many as the old",
    async (t, { engine, image }) => {
      const bounded = { [labels.scaleMin]: "2", [labels.scaleMax]: "3" };
      await engine.deploy({ service: "fn", image, labels: bounded });
      const first = required(await engine.status("fn"));

      await engine.scale("fn", 1_000_000);
      const most = required(await engine.status("fn")).replicas;
      await engine.deploy({ service: "fn", image, labels: bounded, envVars: { version: "2" } });

      t.deepEqual([first.replicas, first.availableReplicas], [2, 2]);
      t.is(most, 3);
      t.is(endpointsOf(engine, "fn").length, 3);
      await engine.scale("fn", 1);
      t.is(required(await engine.status("fn")).replicas, 2);
    },
  );

  check(
    "a replica that dies is started again and nobody is routed to the dead one",
    async (t, { engine, image }) => {
      await engine.deploy({ service: "fn", image });
      const [dead] = endpointsOf(engine, "fn");

      await call(engine, "fn", "/exit?code=3").catch(() => "");

      const alive = await eventually(
        () => endpointsOf(engine, "fn")[0],
        (one: unknown) => one !== undefined && one !== dead,
      );
      t.is(await callEndpoint(alive ?? "", "/"), "");
      t.is(required(await engine.status("fn")).availableReplicas, 1);
    },
  );

  check(
    "watchers hear each function's whole endpoint set after every change, and of its removal",
    async (t, { engine, image }) => {
      const heard: FunctionEndpoints[] = [];
      const unwatch = engine.watchEndpoints((change) => heard.push(change));

      await engine.deploy({ service: "fn", image });
      await engine.remove("fn");
      unwatch();
      await engine.deploy({ service: "other", image });

      const served = heard.find(({ endpoints }) => endpoints.length > 0);
      t.like(served, { name: "fn", namespace: "openfaas-fn", replicas: 1 });
      t.deepEqual(heard.at(-1), {
        name: "fn",
        namespace: "openfaas-fn",
        endpoints: [],
        replicas: 0,
      });
    },
  );

  check(
    "a function that keeps dying without a version to go back to waits longer each time and says so",
    async (t, { engine, image }) => {
      await engine.deploy({ service: "fn", image });
      const starts = new Set<string>();
      const seen = () => {
        const [endpoint] = endpointsOf(engine, "fn");
        if (endpoint !== undefined && !starts.has(endpoint)) {
          starts.add(endpoint);
          callEndpoint(endpoint, "/exit?code=4").catch(() => "");
        }
        return starts.size;
      };
      const begun = performance.now();

      t.is(await eventually(seen, 4), 4);

      // 100 + 200 + 400 ms between four starts.
      t.true(performance.now() - begun >= 700);
      await eventually(() => endpointsOf(engine, "fn").length, 0);
      const status = required(await engine.status("fn"));
      t.regex(status.problem ?? "", /code 4/);
      t.deepEqual([status.replicas, status.availableReplicas], [1, 0]);
    },
  );

  check("a deploy wakes a function that sleeps", async (t, { engine, image }) => {
    await engine.deploy({ service: "fn", image });
    await engine.scale("fn", 0);

    await engine.deploy({ service: "fn", image, envVars: { version: "awake" } });

    t.is(await call(engine, "fn"), "awake");
    t.is(required(await engine.status("fn")).replicas, 1);
  });

  check(
    "requests in flight are finished before a function sleeps",
    async (t, { engine, image }) => {
      await engine.deploy({ service: "fn", image });
      const slow = call(engine, "fn", "/slow?ms=500");

      await engine.scale("fn", 0);

      t.is(await slow, "slow");
    },
  );

  check("a running function reads a secret's new value", async (t, { engine, image }) => {
    const path = "/read?path=/var/openfaas/secrets/token";
    await engine.createSecret({ name: "token", value: Buffer.from("old") });
    await engine.deploy({ service: "fn", image, secrets: ["token"] });
    const before = await call(engine, "fn", path);

    await engine.updateSecret({ name: "token", value: Buffer.from("new") });

    t.deepEqual([before, await call(engine, "fn", path)], ["old", "new"]);
  });

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

  check(
    "logs keep both outputs, cut by tail, since and instance, and can be followed",
    async (t, { engine, image }) => {
      await engine.deploy({ service: "fn", image, envVars: { version: "logged" } });
      const { signal } = new AbortController();
      for (const text of ["one", "two", "three"]) await call(engine, "fn", `/print?text=${text}`);

      const kept = async () =>
        (await collect(engine.logs({ name: "fn", follow: false, signal }))).map(({ text }) => text);
      const printed = ["started version logged", "one", "two", "three"];
      t.deepEqual(await eventually(kept, printed), printed);
      const tail = await collect(engine.logs({ name: "fn", tail: 2, follow: false, signal }));
      t.deepEqual(
        tail.map(({ text }) => text),
        ["two", "three"],
      );
      const [line] = tail;
      t.like(line, { name: "fn", namespace: "openfaas-fn" });
      t.regex(line?.timestamp ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/);
      const instance = line?.instance ?? "";
      t.is((await collect(engine.logs({ name: "fn", instance, follow: false, signal }))).length, 4);
      const since = new Date(Date.now() + 60_000);
      t.deepEqual(await collect(engine.logs({ name: "fn", since, follow: false, signal })), []);

      const leaving = new AbortController();
      const followed = engine.logs({ name: "fn", tail: 1, follow: true, signal: leaving.signal });
      const heard = readUntil(followed, "live", leaving);
      await call(engine, "fn", "/print?text=live");
      t.deepEqual((await heard).slice(0, 2), ["three", "live"]);
    },
  );

  check(
    "a line without end is cut into pieces, and the rest still comes",
    async (t, { engine, image }) => {
      await engine.deploy({ service: "fn", image });
      await call(engine, "fn", "/print?text=0123456789&times=20000");

      await call(engine, "fn", "/print?text=after");

      const { signal } = new AbortController();
      const lines = await eventually(
        async () => collect(engine.logs({ name: "fn", follow: false, signal })),
        (kept: LogLine[]) => kept.at(-1)?.text === "after",
      );
      const texts = lines.slice(1, -1).map(({ text }) => text);
      t.is(lines.at(-1)?.text, "after");
      t.is(texts[0]?.length, 64 * 1024);
      t.is(texts.join(""), "0123456789".repeat(20_000));
    },
  );

  check(
    "secrets are created once, updated, removed, and files in the functions that ask for them",
    async (t, { engine, image }) => {
      const value = (text: string) => ({ name: "db-password", value: Buffer.from(text) });
      const early = await failure(engine.updateSecret(value("x")));
      await engine.createSecret(value("first"));
      const twice = await failure(engine.createSecret(value("x")));
      await engine.createSecret({ name: "unasked", value: Buffer.from("x") });

      await engine.deploy({ service: "fn", image, secrets: ["db-password"] });
      const read = await call(engine, "fn", "/read?path=/var/openfaas/secrets/db-password");
      const listed = await call(engine, "fn", "/list?path=/var/openfaas/secrets");
      await engine.updateSecret(value("second"));
      await engine.deploy({ service: "fn", image, secrets: ["db-password"], envVars: { v: "2" } });

      t.like(early, { status: 404, code: "not-found" });
      t.like(twice, { status: 409, code: "exists" });
      t.deepEqual([read, listed], ["first", "db-password"]);
      t.is(await call(engine, "fn", "/read?path=/var/openfaas/secrets/db-password"), "second");
      t.deepEqual((await engine.listSecrets()).toSorted(), ["db-password", "unasked"]);
      await engine.removeSecret("unasked");
      t.deepEqual(await engine.listSecrets(), ["db-password"]);
      t.like(await failure(engine.removeSecret("unasked")), { status: 404, code: "not-found" });
    },
  );

  check(
    "what was deployed serves again after a restart of the platform, under the same release",
    async (t, under) => {
      await under.engine.createSecret({ name: "kept", value: Buffer.from("kept value") });
      await under.engine.deploy({
        ...released(under.image, "r4", 4, "kept"),
        secrets: ["kept"],
      });
      await under.engine.scale("fn", 2);
      await under.engine.deploy({ service: "asleep", image: under.image });
      await under.engine.scale("asleep", 0);

      const engine = await under.reopen();

      t.is(await eventually(() => endpointsOf(engine, "fn").length, 2), 2);
      t.is(await call(engine, "fn"), "kept");
      t.is(await call(engine, "fn", "/read?path=/var/openfaas/secrets/kept"), "kept value");
      const current = new Map((await engine.inventory()).map((item) => [item.name, item]));
      t.deepEqual(current.get("fn")?.current, { release: "r4", fence: 4 });
      t.is(current.get("asleep")?.status.replicas, 0);
      t.is((await failure(engine.deploy(released(under.image, "r3", 3, "x")))).code, "stale-fence");
    },
  );

  check("close stops every replica and refuses what comes after", async (t, { engine, image }) => {
    await engine.deploy({ service: "fn", image, envVars: { stubborn: "true" } });
    const [endpoint = ""] = endpointsOf(engine, "fn");

    await engine.close(300);

    await t.throwsAsync(callEndpoint(endpoint, "/"));
    t.is((await failure(engine.deploy({ service: "fn", image }))).status, 503);
  });
}

/** Declare a test on an engine of its own. */
export function createCheck(test: TestFn, open: () => Promise<EngineUnderTest>) {
  // Mostly waiting: a few at once do not disturb each other.
  const inTurn = createTurns(3);
  return (
    title: string,
    run: (t: ExecutionContext, under: EngineUnderTest) => Promise<void>,
  ): void =>
    test(title, (t) =>
      inTurn(async () => {
        const under = await open();
        try {
          await run(t, under);
        } finally {
          await under.dispose();
        }
      }),
    );
}

/** A deployment of `fn` with a release and a fence, as the pipeline makes it. */
function released(
  image: string,
  release: string,
  fence: number,
  version: string,
  envVars: Readonly<Record<string, string>> = {},
): FunctionDeployment {
  return {
    service: "fn",
    image,
    envVars: { version, ...envVars },
    labels: { [labels.release]: release, [labels.fence]: String(fence) },
  };
}

function endpointsOf(engine: Engine, name: string): readonly string[] {
  return engine.endpoints().find((one) => one.name === name)?.endpoints ?? [];
}

/** Call a function at one of its endpoints, as a gateway does; throws unless it answers 200. */
export async function call(engine: Engine, name: string, path = "/"): Promise<string> {
  const [endpoint] = endpointsOf(engine, name);
  if (endpoint === undefined) throw new Error(`${name} has no endpoint`);
  return callEndpoint(endpoint, path);
}

export function callEndpoint(endpoint: string, path: string): Promise<string> {
  const target = endpoint.startsWith("unix:")
    ? { socketPath: endpoint.slice("unix:".length), path }
    : { host: new URL(endpoint).hostname, port: new URL(endpoint).port, path };
  return new Promise((resolve, reject) => {
    const asked = request({ ...target, agent: false }, async (answer) => {
      try {
        const chunks: Buffer[] = [];
        for await (const chunk of answer) chunks.push(chunk);
        const text = Buffer.concat(chunks).toString("utf8");
        if (answer.statusCode === 200) resolve(text);
        else reject(new Error(`${path} answered ${answer.statusCode}: ${text}`));
      } catch (error) {
        reject(error);
      }
    });
    asked.on("error", reject);
    asked.end();
  });
}

async function failure(work: Promise<unknown>): Promise<HttpError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof HttpError) return error;
    throw error;
  }
  throw new Error("It succeeded; a failure was expected.");
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("It is not there.");
  return value;
}

async function collect(lines: AsyncIterable<LogLine>): Promise<LogLine[]> {
  const collected: LogLine[] = [];
  for await (const line of lines) collected.push(line);
  return collected;
}

/** Texts up to and including `last`; then the reader leaves. */
async function readUntil(
  lines: AsyncIterable<LogLine>,
  last: string,
  leaving: AbortController,
): Promise<string[]> {
  const texts: string[] = [];
  for await (const { text } of lines) {
    texts.push(text);
    if (text === last) leaving.abort();
  }
  return texts;
}
