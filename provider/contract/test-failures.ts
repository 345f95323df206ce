import { eventually } from "../test-kit.ts";
import {
  type Check,
  call,
  callEndpoint,
  endpointsOf,
  failure,
  released,
  required,
} from "./contract-kit.ts";

/** Versions that do not become healthy, or do not stay so. */
export function testFailures(check: Check): void {
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
    "a first version that crashes right after its probe says so as long as it does",
    async (t, { engine, image }) => {
      await engine.deploy(released(image, "shaky", 1, "shaky"));
      const crash = async () => {
        await call(engine, "fn", "/exit?code=9").catch(() => "");
        return (await engine.inventory())[0]?.crashLoop !== undefined;
      };

      t.true(await eventually(crash, true));
      const [item] = await engine.inventory();
      t.regex(item?.crashLoop ?? "", /^crash loop: replica fn-\w+ exited with code \d+$/);
      t.deepEqual(item?.current, { release: "shaky", fence: 1 });
      t.is(await eventually(() => call(engine, "fn").catch(() => ""), "shaky"), "shaky");

      await engine.deploy(released(image, "fixed", 2, "fixed"));
      t.is((await engine.inventory())[0]?.crashLoop, undefined);
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
}
