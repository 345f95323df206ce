import test, { type ExecutionContext } from "ava";
import { type RunningPlatform, removeData, startPlatform } from "./helpers/platform.ts";
import { answering, makeRepository, removeRepository, stackOf } from "./helpers/repository.ts";
import { until } from "./helpers/until.ts";

test("a function goes back to an earlier version in one switch, and stays there until a push changes it", async (t) => {
  const { platform, push, ask } = await setUp(t);
  const [one, two] = [await push("one"), await push("two")];
  t.is(await ask(), "two");

  const said = await platform.ofc("rollback", "alice-cart");
  t.is(await ask(), "one");
  const readme = await push("two", { "README.md": "more words" });
  const stayed = await ask();
  const listed = await platform.ofc("versions", "alice-cart");
  await platform.ofc("rollback", "alice-cart", two.slice(0, 7));
  const forward = await ask();
  await push("three");

  const [from, to] = [two.slice(0, 7), one.slice(0, 7)];
  t.is(
    said,
    `alice-cart serves ${to} again instead of ${from}; it stays there until a push changes the function.\n`,
  );
  t.true(readme !== two);
  t.deepEqual([stayed, forward, await ask()], ["one", "two", "three"]);
  t.regex(listed, new RegExp(`^${to} +serving +\\d+ .* roll-back +http`, "m"));
  t.regex(listed, new RegExp(`^${from} +retired +\\d+ .* push +http`, "m"));
});

test("what cannot be gone back to is refused with what can", async (t) => {
  const { platform, push } = await setUp(t);
  const one = await push("one");
  const refused = (...args: string[]) => t.throwsAsync(platform.ofc("rollback", ...args));

  const only = await refused("alice-cart");
  const two = await push("two");
  const unknown = await refused("alice-cart", "0000000");
  const nobody = await refused("alice-pay");

  t.regex(only?.message ?? "", /"alice-cart" has no earlier version; nothing else is kept\./);
  t.true(one !== two);
  t.regex(
    unknown?.message ?? "",
    new RegExp(`no other version of commit "0000000"; kept are ${one.slice(0, 7)}\\.`),
  );
  t.regex(nobody?.message ?? "", /There is no function "alice-pay"; \.\/ofc status lists them/);
});

for (const point of ["declareRollback:after", "markRelease:before"]) {
  test(`a roll-back whose platform dies at ${point} is carried to its end by the next`, async (t) => {
    const { platform, push, ask, start } = await setUp(t);
    await push("one");
    await push("two");
    await platform.stop();
    const doomed = await start({ OFC_FAULT: point });
    await t.throwsAsync(doomed.ofc("rollback", "alice-cart"));

    const next = await start();

    t.is(await until(async () => (await ask(next)) === "one" && "one"), "one");
    await until(async () =>
      /^\w+ +serving .* roll-back +http/m.test(await next.ofc("versions", "alice-cart")),
    );
  });
}

async function setUp(t: ExecutionContext) {
  t.timeout(180_000);
  const platform = await startPlatform();
  const { dataFolder } = platform;
  t.teardown(() => removeData(dataFolder));
  const repository = await makeRepository();
  t.teardown(() => removeRepository(repository));
  const { url } = JSON.parse(await platform.ofc("token", "alice", "--json")) as { url: string };
  t.teardown(() => platform.stop());
  return {
    platform,
    async start(env: Record<string, string> = {}): Promise<RunningPlatform> {
      const next = await startPlatform({ dataFolder, env });
      t.teardown(() => next.stop());
      return next;
    },
    /** A commit whose function answers the text. */
    async push(text: string, files: Record<string, string> = {}): Promise<string> {
      const stack = stackOf({ cart: { lang: "node24" } });
      const handler = answering(text);
      const sha = await repository.commit({
        "stack.yml": stack,
        "cart/handler.js": handler,
        ...files,
      });
      const { output } = await repository.push(`${url}/shop.git`);
      t.regex(output, /live in /, output);
      return sha;
    },
    async ask(at: RunningPlatform = platform): Promise<string> {
      return (await fetch(new URL("function/alice-cart", at.url))).text();
    },
  };
}
