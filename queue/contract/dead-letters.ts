import { CART, type Contract } from "./contract.ts";

/** What was given up is kept until somebody decides. */
export function testDeadLetters({ test, setUp }: Contract): void {
  test.serial("a pipeline call that is refused is a dead letter at once", async (t) => {
    const { post, queue, reaches, calls } = await setUp(t, {
      respond: (_call, response) => void response.writeHead(404).end(),
    });

    await post("/async-function/git-tar.openfaas-system", {
      headers: { "x-call-id": "refused", "x-owner-id": "forge:1" },
    });

    await reaches("refused", "dead");
    t.is(calls.length, 1);
    const [pipeline] = await queue.inspect();
    t.like(pipeline, { queue: "pipeline", waiting: [], active: [], delayed: [] });
    t.deepEqual(pipeline?.counts, { waiting: 0, active: 0, delayed: 0, dead: 1 });
    t.like(pipeline?.dead[0], {
      callId: "refused",
      function: "git-tar",
      ownerId: "forge:1",
      attempts: 1,
      lastError: "answered 404",
      lastStatus: 404,
    });
  });

  test.serial(
    "after its last attempt a call is kept, listed, and run again on request",
    async (t) => {
      const { post, queue, reaches, status, calls } = await setUp(t, {
        invocations: { attempts: 3 },
        respond: (_call, response, nth) => void response.writeHead(nth <= 3 ? 502 : 200).end(),
      });

      await post(CART, { headers: { "x-call-id": "buried" }, body: "kept" });
      await reaches("buried", "dead");
      t.deepEqual(await status("buried"), {
        callId: "buried",
        state: "dead",
        attempts: 3,
        lastStatus: 502,
        lastError: "answered 502",
      });
      t.true(await queue.retryDead("buried"));

      await reaches("buried", "done");
      t.is(calls.length, 4);
      t.is(calls[3]?.body, "kept");
      t.false(await queue.retryDead("buried"));
    },
  );

  test.serial("a dead letter can be removed", async (t) => {
    const { post, queue, reaches, get } = await setUp(t, {
      invocations: { attempts: 1 },
      respond: (_call, response) => void response.writeHead(500).end(),
    });
    await post(CART, { headers: { "x-call-id": "gone" } });
    await reaches("gone", "dead");

    t.true(await queue.removeDead("gone"));

    t.false(await queue.removeDead("gone"));
    t.is((await get("/async-status/gone")).status, 404);
  });
}
