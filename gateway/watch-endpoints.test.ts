import test from "ava";
import { setUp, until } from "./test-kit.ts";

test("the last table stays in force while the provider is away, and a lost change is made up for", async (t) => {
  const { url, provider, gateway, listen, serve } = await setUp(t);
  await serve("cart", (_request, response) => response.end("still here"));
  const late = await listen((_request, response) => response.end("late"));

  provider.functions.set("late", {
    name: "late",
    namespace: "openfaas-fn",
    endpoints: [late.url],
    replicas: 1,
  });
  provider.cut();
  await until(() => provider.watchers.size === 0);
  const away = await fetch(`${url}/function/cart`);
  await until(() => gateway.table.find("late") !== undefined);

  t.is(await away.text(), "still here");
  t.is(await (await fetch(`${url}/function/late`)).text(), "late");
});

test("a stream without heartbeats is given up, and readiness says so until the next one", async (t) => {
  const { url, provider, lines } = await setUp(t, { endpoints_silence: "300ms" });
  const ready = async (): Promise<number> => (await fetch(`${url}/ready`)).status;
  t.is(await ready(), 200);

  provider.fallSilent();

  await until(() => lines.some((line) => line.includes("endpoints-lost")));
  await until(async () => (await ready()) === 200);
  t.is(provider.watchers.size, 1);
});

test("a removed function is 404, one scaled to zero is 503", async (t) => {
  const { url, provider, serve } = await setUp(t);
  provider.system = (request, response) => {
    const isThere = request.url === "/system/function/asleep?namespace=openfaas-fn";
    response.writeHead(isThere ? 200 : 404).end();
  };
  await serve("cart", (_request, response) => response.end());
  await serve("asleep", (_request, response) => response.end());
  const status = async (name: string): Promise<number> =>
    (await fetch(`${url}/function/${name}`)).status;

  provider.forget("cart");
  provider.tell({ name: "asleep", replicas: 0 });

  await until(async () => (await status("cart")) === 404);
  await until(async () => (await status("asleep")) === 503);
  t.is(await status("cart.openfaas-fn"), 404);
});

test("a function missing from a whole table is gone, and counters of the others stay", async (t) => {
  const { url, provider, gateway, serve } = await setUp(t);
  await serve("cart", (_request, response) => response.end());
  await serve("gone", (_request, response) => response.end());
  await (await fetch(`${url}/function/cart`)).text();
  const before = gateway.table.find("cart");

  provider.functions.delete("gone");
  provider.cut();

  await until(() => gateway.table.find("gone") === undefined);
  t.is(gateway.table.find("cart"), before);
  t.is(before?.counters.started, 1);
});

test("a line of an unknown version loses the stream, not the table", async (t) => {
  const { url, provider, lines, serve } = await setUp(t);
  await serve("cart", (_request, response) => response.end("here"));

  for (const watcher of provider.watchers) watcher.write('{"v":2,"all":[]}\n');

  await until(() => lines.some((line) => line.includes("endpoints-lost")));
  t.is(await (await fetch(`${url}/function/cart`)).text(), "here");
});

test("requests in flight on a withdrawn replica finish", async (t) => {
  const { url, provider, gateway, listen, serve } = await setUp(t);
  let finish = (): void => {};
  await serve("cart", (_request, response) => {
    response.write("begun ");
    finish = () => response.end("and ended");
  });
  const next = await listen((_request, response) => response.end("next"));
  const slow = await fetch(`${url}/function/cart`);

  provider.tell({ name: "cart", endpoints: [next.url], replicas: 1 });
  await until(() => gateway.table.find("cart")?.replicas[0]?.endpoint === next.url);
  const after = await fetch(`${url}/function/cart`);
  finish();

  t.is(await after.text(), "next");
  t.is(await slow.text(), "begun and ended");
});
