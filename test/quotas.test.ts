import { randomBytes } from "node:crypto";
import test from "ava";
import { removeData, startPlatform } from "./helpers/platform.ts";
import { answering, makeRepository, removeRepository, stackOf } from "./helpers/repository.ts";
import { until } from "./helpers/until.ts";

test.serial(
  "an owner's quotas refuse a push with count and limit, and what serves goes on",
  async (t) => {
    const platform = await startPlatform({
      env: { owner_functions: "1", owner_builds_per_hour: "3" },
    });
    t.teardown(async () => {
      await platform.stop();
      await removeData(platform.dataFolder);
    });
    const { url } = JSON.parse(await platform.ofc("token", "alice", "--json")) as { url: string };
    const [shop, blog] = [await makeRepository(), await makeRepository()];
    t.teardown(() => Promise.all([shop, blog].map(removeRepository)));
    await shop.commit({
      "stack.yml": stackOf({ cart: { lang: "node24" } }),
      "cart/handler.js": answering("one"),
    });
    await blog.commit({
      "stack.yml": stackOf({ post: { lang: "node24" } }),
      "post/handler.js": answering("two"),
    });

    const first = await shop.push(`${url}/shop.git`);
    const second = await blog.push(`${url}/blog.git`);
    await shop.commit({ "cart/handler.js": answering("three") });
    const third = await shop.push(`${url}/shop.git`);
    await shop.commit({ "cart/handler.js": answering("four") });
    const fourth = await shop.push(`${url}/shop.git`);

    t.regex(first.output, /live in /, first.output);
    t.regex(
      second.output,
      /functions: 1 here and 1 in alice's other repositories; an owner may have 1/,
    );
    t.regex(third.output, /live in /, third.output);
    t.regex(fourth.output, /alice had 3 builds within an hour .* possible at \d\d:\d\d UTC/);
    const answer = await fetch(new URL("function/alice-cart", platform.url));
    t.is(await answer.text(), "three");
  },
);

test.serial(
  "a build context above its limit fails its function with the limit, and what serves goes on",
  async (t) => {
    const platform = await startPlatform({ env: { build_max_context_mib: "1" } });
    t.teardown(async () => {
      await platform.stop();
      await removeData(platform.dataFolder);
    });
    const { url } = JSON.parse(await platform.ofc("token", "alice", "--json")) as { url: string };
    const shop = await makeRepository();
    t.teardown(() => removeRepository(shop));
    await shop.commit({
      "stack.yml": stackOf({ cart: { lang: "node24" } }),
      "cart/handler.js": answering("one"),
    });
    const first = await shop.push(`${url}/shop.git`);
    await shop.commit({
      "cart/handler.js": answering("two"),
      "cart/data.txt": "x".repeat(1_500_000),
    });

    const second = await shop.push(`${url}/shop.git`);

    t.regex(first.output, /live in /, first.output);
    t.regex(second.output, /cart +failed while building.*1048576 bytes/, second.output);
    const answer = await fetch(new URL("function/alice-cart", platform.url));
    t.is(await answer.text(), "one");
  },
);

test.serial(
  "above the disk's ceiling a push is refused with sizes and setting, and what serves goes on",
  async (t) => {
    const before = await startPlatform();
    const { dataFolder } = before;
    t.teardown(() => removeData(dataFolder));
    const shop = await makeRepository();
    t.teardown(() => removeRepository(shop));
    await shop.commit({
      "stack.yml": stackOf({ cart: { lang: "node24" } }),
      "cart/handler.js": answering("one"),
      // Git packs it to half of that: the data is above the ceiling, whatever else it holds.
      "notes.txt": randomBytes(3_000_000).toString("hex"),
    });
    const { url } = JSON.parse(await before.ofc("token", "alice", "--json")) as { url: string };
    const first = await shop.push(`${url}/shop.git`);
    t.regex(first.output, /live in /, first.output);
    await before.stop();

    const full = await startPlatform({ dataFolder, env: { disk_ceiling_mib: "1" } });
    t.teardown(() => full.kill());
    await until(() => full.log.some(({ event }) => event === "disk-short"), 60_000);
    await shop.commit({ "cart/handler.js": answering("two") });
    const again = JSON.parse(await full.ofc("token", "alice", "--json")) as { url: string };
    const second = await shop.push(`${again.url}/shop.git`);

    t.regex(
      second.output,
      /remote: The platform's data takes .* more than the 1 MiB of disk_ceiling_mib/,
    );
    const answer = await fetch(new URL("function/alice-cart", full.url));
    t.is(await answer.text(), "one");
  },
);

test.serial(
  "asynchronous calls of all of an owner's functions have one limit, and each body has its own",
  async (t) => {
    const platform = await startPlatform({
      env: { async_owner_calls: "1", async_max_body: "10" },
    });
    t.teardown(async () => {
      await platform.stop();
      await removeData(platform.dataFolder);
    });
    const { url } = JSON.parse(await platform.ofc("token", "alice", "--json")) as { url: string };
    const shop = await makeRepository();
    t.teardown(() => removeRepository(shop));
    const busy = 'module.exports = async (event, context) => context.status(503).succeed("");\n';
    await shop.commit({
      "stack.yml": stackOf({ cart: { lang: "node24" }, tea: { lang: "node24" } }),
      "cart/handler.js": busy,
      "tea/handler.js": busy,
    });
    const pushed = await shop.push(`${url}/shop.git`);
    t.regex(pushed.output, /live in /, pushed.output);
    const call = async (service: string, body: string) => {
      const path = `async-function/${service}`;
      const answer = await fetch(new URL(path, platform.url), { method: "POST", body });
      return { status: answer.status, text: await answer.text() };
    };

    const tooLong = await call("alice-cart", "x".repeat(11));
    const first = await call("alice-cart", "x");
    const second = await call("alice-tea", "x");
    const unknown = await call("alice-none", "x");

    t.is(tooLong.status, 413);
    t.regex(tooLong.text, /larger than the 10 bytes .*async_max_body/);
    t.is(first.status, 202);
    t.is(second.status, 429);
    t.regex(
      second.text,
      /1 calls of slug:alice are waiting, and at most 1 may \(async_owner_calls\)/,
    );
    t.is(unknown.status, 404);
  },
);
