import { labels } from "#sdk/labels.ts";
import type { FunctionEndpoints } from "../provider.ts";
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

/** As many copies as are wanted, over scaling, deaths and restarts of the platform. */
export function testReplicas(check: Check): void {
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
