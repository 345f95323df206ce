import type { HttpError } from "#sdk/errors.ts";
import { eventually } from "../test-kit.ts";
import {
  type Check,
  call,
  callEndpoint,
  contractTimes,
  endpointsOf,
  released,
  required,
} from "./contract-kit.ts";

/** What callers see while one version takes the place of another. */
export function testSwitches(check: Check): void {
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
}
