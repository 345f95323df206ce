import { request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
import { dial, readAll, setUp, talk, until } from "./test-kit.ts";

test("a function answers by path and by its owner's host", async (t) => {
  const { url, port, serve } = await setUp(t);
  await serve("alice-cart", (request, response) =>
    response.end(`${request.method} ${request.url}`),
  );

  const byPath = await fetch(`${url}/function/alice-cart/a%2fb?c=%20`, { method: "PUT" });
  const byHost = await talk(
    port,
    "GET /cart/%2e%2e/x HTTP/1.1\r\nHost: alice.localhost\r\nConnection: close\r\n\r\n",
  );

  t.is(await byPath.text(), "PUT /a%2fb?c=%20");
  t.true(byHost.endsWith("GET /%2e%2e/x"), byHost);
});

test("a function whose owner is another is not there on this owner's host", async (t) => {
  const { port, serve } = await setUp(t);
  await serve("a-b-c", (_request, response) => response.end("mine"), { owner: "a-b" });

  const ask = (host: string, path: string): Promise<string> =>
    talk(port, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);

  t.regex(await ask("a-b.localhost", "/c"), /^HTTP\/1.1 200 .*mine$/s);
  t.regex(await ask("a.localhost", "/b-c"), /^HTTP\/1.1 404 .*No such function: a-b-c\.\n$/s);
});

test("every method reaches the function, unusual ones too", async (t) => {
  const { port, serve } = await setUp(t);
  await serve("cart", (request, response) => response.end(`<${request.method}>`));

  for (const method of ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "QUERY", "TRACE"]) {
    const answer = await talk(
      port,
      `${method} /function/cart HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
    );
    t.true(answer.endsWith(`<${method}>`), answer);
  }
});

test("a missing function is 404 with the platform's mark", async (t) => {
  const { url } = await setUp(t);

  const response = await fetch(`${url}/function/nope`);

  t.is(response.status, 404);
  t.is(await response.text(), "No such function: nope.\n");
  t.is(response.headers.get("x-openfaas-internal"), "gateway");
  t.truthy(response.headers.get("x-call-id"));
});

test("the first chunk of an answer arrives before the last is written", async (t) => {
  const { url, serve } = await setUp(t);
  let finish = (): void => {};
  await serve("cart", (_request, response) => {
    response.write("first");
    finish = () => response.end("last");
  });

  const response = await fetch(`${url}/function/cart`);
  const reader = response.body?.getReader();
  const first = await reader?.read();
  finish();
  const last = await reader?.read();

  t.is(Buffer.from(first?.value ?? []).toString(), "first");
  t.is(Buffer.from(last?.value ?? []).toString(), "last");
});

for (const [what, length] of [
  ["a small answer", 300],
  ["a large answer", 300_000],
] as const)
  for (const pieces of [1, 3])
    test(`every byte of ${what} in ${pieces === 1 ? "one piece" : "pieces"} arrives as it was`, async (t) => {
      const { url, serve } = await setUp(t);
      const body = Buffer.from(Array.from({ length }, (_, at) => at % 256));
      await serve("cart", (_request, response) => {
        if (pieces === 1) response.setHeader("Content-Length", length);
        for (let at = 0; at < length; at += length / pieces)
          response.write(body.subarray(at, at + length / pieces));
        response.end();
      });

      const response = await fetch(`${url}/function/cart`);

      t.true(body.equals(Buffer.from(await response.arrayBuffer())));
    });

test("headers arrive before the first byte of a silent stream", async (t) => {
  const { url, serve } = await setUp(t);
  await serve("cart", (_request, response) => {
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    response.flushHeaders();
  });

  const response = await fetch(`${url}/function/cart`);

  t.is(response.headers.get("content-type"), "text/event-stream");
  await response.body?.cancel();
});

test("a request body streams: the function answers to its first chunk before the second is sent", async (t) => {
  const { port, serve } = await setUp(t);
  await serve("cart", (request, response) => {
    request.on("data", (chunk) => response.write(`<${chunk}>`));
    request.on("end", () => response.end());
  });
  const request = httpRequest({ port, path: "/function/cart", method: "POST" });

  request.write("one");
  const response = await new Promise<IncomingMessage>((resolve) =>
    request.once("response", resolve),
  );
  const first = await new Promise<string>((resolve) =>
    response.once("data", (chunk) => resolve(String(chunk))),
  );
  request.end("two");

  t.is(first, "<one>");
  t.is(await readAll(response), "<two>");
});

for (const [kind, size] of [
  ["small", 100],
  ["large", 300_000],
] as const) {
  test(`a ${kind} body keeps its Content-Length, and one of unknown length stays chunked`, async (t) => {
    const { url, serve } = await setUp(t);
    await serve("cart", async (request, response) => {
      const { "content-length": length, "transfer-encoding": encoding } = request.headers;
      response.end(JSON.stringify({ length, encoding, got: (await readAll(request)).length }));
    });
    const stream = new Blob(["x".repeat(size)]).stream();

    const known = await fetch(`${url}/function/cart`, { method: "POST", body: "x".repeat(size) });
    const unknown = await fetch(`${url}/function/cart`, {
      method: "POST",
      body: stream,
      duplex: "half",
    });

    t.deepEqual(await known.json(), { length: String(size), got: size });
    t.deepEqual(await unknown.json(), { encoding: "chunked", got: size });
  });
}

test("a client that leaves cancels the function", async (t) => {
  const { url, serve, gateway } = await setUp(t);
  let isCancelled = false;
  let isReached = false;
  await serve("cart", (_request, response) => {
    isReached = true;
    response.on("close", () => {
      isCancelled = !response.writableFinished;
    });
  });
  const leave = new AbortController();
  const pending = fetch(`${url}/function/cart`, { signal: leave.signal });
  await until(() => isReached);

  leave.abort();
  await t.throwsAsync(pending);

  await until(() => isCancelled);
  const counters = gateway.table.find("cart")?.counters;
  t.deepEqual([...(counters?.completed ?? [])], [[499, 1]]);
  t.is(counters?.inFlight, 0);
});

test("a client that leaves inside its upload cancels the function", async (t) => {
  const { port, serve } = await setUp(t);
  let isCut = false;
  let isReached = false;
  await serve("cart", (request) => {
    request.on("data", () => {
      isReached = true;
    });
    request.on("close", () => {
      isCut = !request.complete;
    });
  });
  const { socket } = dial(port);
  socket.write(
    "POST /function/cart HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999\r\n\r\nabc",
  );
  await until(() => isReached);

  socket.destroy();

  await until(() => isCut);
  t.pass();
});

test("a function that breaks off inside its answer cuts the client's connection", async (t) => {
  const { url, serve } = await setUp(t);
  await serve("cart", (_request, response) => {
    response.writeHead(200, { "Content-Length": "1000" });
    response.write("half", () => response.destroy());
  });

  const response = await fetch(`${url}/function/cart`);

  t.is(response.status, 200);
  await t.throwsAsync(response.text());
});

test("a function that breaks off before its answer is 502, asked once, and the connection stays good", async (t) => {
  const { url, serve } = await setUp(t);
  let asked = 0;
  await serve("cart", (request) => {
    asked++;
    request.socket.destroy();
  });

  const response = await fetch(`${url}/function/cart`, { method: "POST", body: "pay" });

  t.is(response.status, 502);
  t.is(await response.text(), "Can't reach service for: cart.\n");
  t.is(response.headers.get("x-openfaas-internal"), "gateway");
  t.is(asked, 1);
});

test("a function that answers before it has the whole upload has its answer delivered", async (t) => {
  const { port, serve } = await setUp(t);
  await serve("cart", (_request, response) => {
    response.writeHead(413);
    response.end("too much");
  });
  const { socket, text } = dial(port);

  socket.write(
    "POST /function/cart HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999\r\n\r\n",
  );
  socket.write("x".repeat(500_000));

  await until(() => text().includes("too much"));
  t.regex(text(), /^HTTP\/1.1 413 /);
  socket.destroy();
});

test("a function that is silent past upstream_timeout is 504", async (t) => {
  const { url, serve } = await setUp(t, { upstream_timeout: "200ms" });
  await serve("cart", () => {
    // Never answers.
  });

  const response = await fetch(`${url}/function/cart`);

  t.is(response.status, 504);
  t.is(await response.text(), "Timed out waiting for: cart.\n");
});

test("a body that stops coming is 408", async (t) => {
  const { port, serve } = await setUp(t, { read_timeout: "150ms" });
  await serve("cart", (request, response) => {
    request.resume();
    request.on("end", () => response.end());
  });
  const upload = (length: number): Promise<string> =>
    talk(
      port,
      `POST /function/cart HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${length}\r\n\r\nabc`,
      /body came/,
    );

  t.regex(await upload(100), /^HTTP\/1.1 408 /);
  t.regex(await upload(100_000), /^HTTP\/1.1 408 /);
});

test("a small body that drips is 408, however steadily it comes", async (t) => {
  const { port, serve } = await setUp(t, { read_timeout: "300ms" });
  await serve("cart", (_request, response) => response.end("answered"));
  const { socket, text } = dial(port);
  t.teardown(() => socket.destroy());

  socket.write("POST /function/cart HTTP/1.1\r\nHost: localhost\r\nContent-Length: 16000\r\n\r\n");
  const dripping = setInterval(() => socket.write("x"), 10);
  t.teardown(() => clearInterval(dripping));

  await until(() => text() !== "");
  t.regex(text(), /^HTTP\/1.1 408 /);
});

test("a replica that refuses connections is passed over, whatever the method, and logged", async (t) => {
  const { url, provider, gateway, lines, listen, serve } = await setUp(t);
  const good = await serve("cart", async (request, response) =>
    response.end(await readAll(request)),
  );
  const dead = await listen(() => {});
  await dead.close();
  const missing = `${dead.url}.gone`;
  provider.tell({ name: "cart", endpoints: [dead.url, missing, good.url], replicas: 3 });
  await until(() => gateway.table.find("cart")?.replicas.length === 3);

  const large = "y".repeat(100_000);
  for (let round = 0; round < 20; round++) {
    const body = round % 2 === 0 ? "x" : large;
    const response = await fetch(`${url}/function/cart`, { method: "POST", body });
    t.is(await response.text(), body);
  }

  t.true(lines.some((line) => line.includes("replica-unreachable")));
});

test("a request waits for the first replica while one is wanted", async (t) => {
  const { url, provider, gateway, listen } = await setUp(t);
  const replica = await listen((_request, response) => response.end("awake"));
  provider.tell({ name: "cart", replicas: 1 });
  await until(() => gateway.table.find("cart") !== undefined);

  const pending = Array.from({ length: 50 }, () => fetch(`${url}/function/cart`));
  await until(() => gateway.table.find("cart")?.waiters.size === 50);
  provider.tell({ name: "cart", endpoints: [replica.url], replicas: 1 });

  for (const response of await Promise.all(pending)) t.is(await response.text(), "awake");
});

test("a request waits when the only replica refuses connections, and the next one serves it", async (t) => {
  const { url, provider, gateway, listen, serve } = await setUp(t);
  const first = await serve("cart", (_request, response) => response.end("first"));
  await first.close();
  const second = await listen((_request, response) => response.end("second"));

  const pending = fetch(`${url}/function/cart`, { method: "POST", body: "once" });
  await until(() => gateway.table.find("cart")?.waiters.size === 1);
  provider.tell({ name: "cart", endpoints: [second.url], replicas: 1 });

  t.is(await (await pending).text(), "second");
});

test("waiting has an end: 503 after hold_timeout, and at once over hold_limit or with no replica wanted", async (t) => {
  const { url, provider, gateway } = await setUp(t, { hold_timeout: "300ms", hold_limit: "1" });
  provider.tell({ name: "cart", replicas: 1 });
  provider.tell({ name: "asleep", replicas: 0 });
  provider.system = (_request, response) => response.end("{}");
  await until(() => gateway.table.find("asleep") !== undefined);

  const held = fetch(`${url}/function/cart`);
  await until(() => gateway.table.find("cart")?.waiters.size === 1);
  const overLimit = await fetch(`${url}/function/cart`);
  const unwanted = await fetch(`${url}/function/asleep`);

  t.is(overLimit.status, 503);
  t.is(await unwanted.text(), "No endpoints available for: asleep.\n");
  t.is((await held).status, 503);
});

test("a function removed while a request waits for it is 404", async (t) => {
  const { url, provider, gateway } = await setUp(t);
  provider.tell({ name: "cart", replicas: 1 });
  await until(() => gateway.table.find("cart") !== undefined);
  const pending = fetch(`${url}/function/cart`);
  await until(() => gateway.table.find("cart")?.waiters.size === 1);

  // The change alone cannot be told from scale to zero, so the waiting request ends as 503 or 404.
  provider.forget("cart");

  const first = (await pending).status;
  t.true(first === 404 || first === 503, String(first));
  await until(async () => (await fetch(`${url}/function/cart`)).status === 404);
});

test("ten changes of the endpoint set under load fail no request", async (t) => {
  const { url, provider, gateway, listen, serve } = await setUp(t);
  const answer = (name: string) => async (request: IncomingMessage, response: ServerResponse) => {
    const text = await readAll(request);
    await sleep(2);
    response.end(`${name} ${text}`);
  };
  let current = await serve("cart", answer("r0"));
  let isLoading = true;
  const statuses = new Map<number, number>();
  const load = async (): Promise<void> => {
    while (isLoading) {
      const response = await fetch(`${url}/function/cart`, { method: "POST", body: "b" });
      await response.arrayBuffer();
      statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
    }
  };
  const loads = Array.from({ length: 16 }, load);

  for (let change = 1; change <= 10; change++) {
    const next = await listen(answer(`r${change}`));
    const before = gateway.table.find("cart")?.replicas[0];
    provider.tell({ name: "cart", endpoints: [next.url], replicas: 1 });
    await until(() => gateway.table.find("cart")?.replicas[0]?.endpoint === next.url);
    await sleep(50);
    // As the engine does: the withdrawn replica stops once nothing is in flight to it any more.
    await until(() => before?.inFlight === 0);
    await current.close();
    current = next;
  }
  isLoading = false;
  await Promise.all(loads);

  t.deepEqual([...statuses.keys()], [200]);
  t.true((statuses.get(200) ?? 0) > 100);
});

test("the less loaded replica is preferred", async (t) => {
  const { url, provider, gateway, listen, serve } = await setUp(t);
  let slow = 0;
  const busy = await serve("cart", () => {
    slow++;
  });
  const free = await listen((_request, response) => response.end("free"));
  const stuck = Array.from({ length: 3 }, () =>
    fetch(`${url}/function/cart`).catch(() => "cut at the end of the test"),
  );
  await until(() => slow === 3);
  provider.tell({ name: "cart", endpoints: [busy.url, free.url], replicas: 2 });
  await until(() => gateway.table.find("cart")?.replicas.length === 2);

  for (let round = 0; round < 20; round++) {
    t.is(await (await fetch(`${url}/function/cart`)).text(), "free");
  }

  t.is(slow, 3);
  busy.server.closeAllConnections();
  await Promise.all(stuck);
});

test.serial("half a gigabyte passes both ways in little memory", async (t) => {
  t.timeout(60_000);
  const { port, serve } = await setUp(t);
  const MIB = 1_024 ** 2;
  const TOTAL = 512 * MIB;
  await serve("echo", (request, response) => request.pipe(response));
  const before = process.memoryUsage().rss;
  let peak = before;
  let got = 0;
  const chunk = Buffer.alloc(MIB, 7);
  const request = httpRequest({ port, path: "/function/echo", method: "POST" });

  const received = new Promise<void>((resolve, reject) => {
    request.once("error", reject);
    request.once("response", (response) => {
      response.on("data", (part: Buffer) => {
        got += part.length;
        peak = Math.max(peak, process.memoryUsage.rss());
      });
      response.once("end", resolve);
      response.once("error", reject);
    });
  });
  for (let sent = 0; sent < TOTAL; sent += MIB) {
    if (!request.write(chunk)) await new Promise((resolve) => request.once("drain", resolve));
  }
  request.end();
  await received;

  t.is(got, TOTAL);
  t.true(peak - before < 200 * MIB, `grew by ${Math.round((peak - before) / MIB)} MiB`);
});

test("a reader that takes nothing makes the function wait instead of filling memory", async (t) => {
  const { port, serve } = await setUp(t, { write_timeout: "400ms" });
  let written = 0;
  let isClosed = false;
  await serve("flood", (_request, response) => {
    const chunk = Buffer.alloc(64 * 1_024);
    const pour = (): void => {
      while (!response.destroyed && response.write(chunk)) written += chunk.length;
    };
    response.on("drain", pour);
    response.on("close", () => {
      isClosed = true;
    });
    pour();
  });
  const { socket } = dial(port);
  socket.pause();

  socket.write("GET /function/flood HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await until(() => isClosed);

  t.true(written < 32 * 1_024 ** 2, `${written} bytes were taken from the function`);
  socket.destroy();
});

test("invocations are counted by the code they ended with", async (t) => {
  const { url, serve, gateway } = await setUp(t);
  await serve("cart", (request, response) => {
    response.statusCode = request.url === "/bad" ? 500 : 200;
    response.end();
  });

  const all = Array.from({ length: 200 }, (_, index) =>
    fetch(`${url}/function/cart/${index % 4 === 0 ? "bad" : "good"}`),
  );
  for (const response of await Promise.all(all)) await response.arrayBuffer();

  const counters = gateway.table.find("cart")?.counters;
  await until(() => counters?.inFlight === 0);
  t.is(counters?.started, 200);
  t.deepEqual(Object.fromEntries(counters?.completed ?? []), { 200: 150, 500: 50 });
  t.true((counters?.seconds ?? 0) > 0);
});
