import test from "ava";
import { readAll, setUp, talk } from "./test-kit.ts";

type Seen = Record<string, string>;

/** Ask over a raw connection with these header lines and return the answer. */
async function ask(port: number, lines: readonly string[], rest = ""): Promise<string> {
  const head = ["GET /function/cart HTTP/1.1", "Host: localhost:9", "Connection: close", ...lines];
  return talk(port, `${head.join("\r\n")}\r\n\r\n${rest}`);
}

function bodyOf(answer: string): Seen {
  return JSON.parse(answer.slice(answer.indexOf("\r\n\r\n") + 4));
}

test("a call id is given or made, and told to both sides", async (t) => {
  const { url, serve } = await setUp(t);
  await serve("cart", (request, response) => response.end(request.headers["x-call-id"]));

  const made = await fetch(`${url}/function/cart`);
  const given = await fetch(`${url}/function/cart`, { headers: { "X-Call-Id": "mine-1" } });
  const bad = await fetch(`${url}/function/cart`, { headers: { "X-Call-Id": "x".repeat(200) } });

  t.regex(made.headers.get("x-call-id") ?? "", /^[0-9a-f-]{36}$/);
  t.is(made.headers.get("x-call-id"), await made.text());
  t.is(given.headers.get("x-call-id"), "mine-1");
  t.is(await given.text(), "mine-1");
  t.regex(bad.headers.get("x-call-id") ?? "", /^[0-9a-f-]{36}$/);
});

test("the start time is unix nanoseconds, whatever the client says", async (t) => {
  const { url, serve } = await setUp(t);
  await serve("cart", (request, response) => response.end(request.headers["x-start-time"]));

  const response = await fetch(`${url}/function/cart`, { headers: { "X-Start-Time": "1" } });

  const text = await response.text();
  t.is(response.headers.get("x-start-time"), text);
  t.regex(text, /^\d{19}$/);
  t.true(Math.abs(Number(text) / 1e6 - Date.now()) < 5_000);
});

test("forwarding headers are appended to or replaced, never believed", async (t) => {
  const { port, serve } = await setUp(t);
  await serve("cart", (request, response) => response.end(JSON.stringify(request.headers)));

  const seen = bodyOf(
    await ask(port, [
      "X-Forwarded-For: 6.6.6.6",
      "X-Forwarded-For: 7.7.7.7",
      "X-Forwarded-Host: evil.example",
      "X-Forwarded-Proto: https",
    ]),
  );

  t.is(seen["x-forwarded-for"], "6.6.6.6, 7.7.7.7, 127.0.0.1");
  t.is(seen["x-forwarded-host"], "localhost:9");
  t.is(seen["x-forwarded-proto"], "http");
  t.is(seen.host, "localhost:9");
});

test("headers for one hop stay behind, and so does an internal signature", async (t) => {
  const { port, serve } = await setUp(t);
  await serve("cart", (request, response) => response.end(JSON.stringify(request.headers)));

  const seen = bodyOf(
    await talk(
      port,
      [
        "GET /function/cart HTTP/1.1",
        "Host: localhost",
        "Connection: close, X-Secret-Hop",
        "X-Secret-Hop: 1",
        "Keep-Alive: timeout=5",
        "Proxy-Authorization: Basic eA==",
        "Proxy-Connection: keep-alive",
        "TE: trailers",
        "Upgrade: h2c",
        "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA",
        "X-Cloud-Signature: v1;kid=1",
        "Authorization: Bearer theirs",
        "Cookie: a=1",
        "\r\n",
      ].join("\r\n"),
    ),
  );

  for (const name of [
    "x-secret-hop",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "upgrade",
    "http2-settings",
    "x-cloud-signature",
  ]) {
    t.is(seen[name], undefined, name);
  }
  t.is(seen.authorization, "Bearer theirs");
  t.is(seen.cookie, "a=1");
});

test("a header that Connection names cannot take the gateway's own away", async (t) => {
  const { port, serve } = await setUp(t);
  await serve("cart", (request, response) => response.end(JSON.stringify(request.headers)));

  const answer = await talk(
    port,
    "GET /function/cart HTTP/1.1\r\nHost: localhost\r\nConnection: close, x-call-id, x-forwarded-for, host\r\n\r\n",
  );

  const seen = bodyOf(answer);
  t.is(seen["x-forwarded-for"], "127.0.0.1");
  t.truthy(seen["x-call-id"]);
  t.is(seen.host, "localhost");
});

test("an answer's headers keep their case, order and repetitions, without those for one hop", async (t) => {
  const { port, serve } = await setUp(t);
  await serve("cart", (_request, response) => {
    response.sendDate = false;
    response.writeHead(302, "Over There", [
      ["Set-Cookie", "a=1"],
      ["X-Odd-CASE", "é"],
      ["Set-Cookie", "b=2"],
      ["Location", "/elsewhere"],
      ["Connection", "X-Hop"],
      ["X-Hop", "1"],
      ["Content-Length", "0"],
    ]);
    response.end();
  });

  const answer = await ask(port, []);

  const lines = answer.split("\r\n");
  t.is(lines[0], "HTTP/1.1 302 Over There");
  t.deepEqual(lines.slice(1, 6), [
    "Set-Cookie: a=1",
    "X-Odd-CASE: é",
    "Set-Cookie: b=2",
    "Location: /elsewhere",
    "Content-Length: 0",
  ]);
  t.false(answer.includes("X-Hop"));
});

test("HEAD, 204 and 304 have no body and leave the connection usable", async (t) => {
  const { port, serve } = await setUp(t);
  await serve("cart", (request, response) => {
    if (request.url === "/204") response.writeHead(204);
    else if (request.url === "/304")
      response.writeHead(304, { ETag: '"1"', "Content-Length": "9" });
    else response.writeHead(200, { "Content-Length": "5" });
    response.end(request.url === "/end" ? "12345" : undefined);
  });
  const line = (method: string, path: string, last = "keep-alive"): string =>
    `${method} /function/cart/${path} HTTP/1.1\r\nHost: localhost\r\nConnection: ${last}\r\n\r\n`;

  const answer = await talk(
    port,
    line("HEAD", "x") + line("GET", "204") + line("GET", "304") + line("GET", "end", "close"),
  );

  t.deepEqual(
    answer.match(/HTTP\/1\.1 \d+/g),
    ["200", "204", "304", "200"].map((code) => `HTTP/1.1 ${code}`),
  );
  t.deepEqual(answer.match(/Content-Length: \d+/g), [
    "Content-Length: 5",
    "Content-Length: 9",
    "Content-Length: 5",
  ]);
  t.true(answer.endsWith("\r\n\r\n12345"));
});

test("early hints are swallowed and trailers are passed on", async (t) => {
  const { port, serve } = await setUp(t);
  await serve("cart", (_request, response) => {
    response.writeEarlyHints({ link: "</style.css>; rel=preload" });
    response.writeProcessing();
    response.writeHead(200, { Trailer: "X-Sum" });
    response.write("body");
    response.addTrailers({ "X-Sum": "42" });
    response.end();
  });

  const answer = await ask(port, []);

  t.true(answer.startsWith("HTTP/1.1 200 OK"), answer);
  t.false(answer.includes("style.css"));
  t.regex(answer, /\r\n0\r\nX-Sum: 42\r\n\r\n$/);
});

test("an HTTP/1.0 client gets a plain body and a closed connection", async (t) => {
  const { port, serve } = await setUp(t);
  await serve("cart", (_request, response) => {
    response.write("one ");
    response.end("two");
  });

  const answer = await talk(port, "GET /function/cart HTTP/1.0\r\nHost: localhost\r\n\r\n");

  t.true(answer.endsWith("\r\n\r\none two"), answer);
  t.false(/transfer-encoding/i.test(answer));
});

test("Expect: 100-continue is answered here and not passed on", async (t) => {
  const { port, serve } = await setUp(t);
  await serve("cart", async (request, response) => {
    const text = await readAll(request);
    response.end(`${request.headers.expect} ${text}`);
  });
  const head = (path: string): string =>
    `POST /function/${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n`;

  const taken = await talk(port, `${head("cart")}body`);
  const refused = await talk(port, head("nope"), /nope\.\n/);

  t.true(taken.startsWith("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK"), taken);
  t.true(taken.endsWith("undefined body"), taken);
  t.true(refused.startsWith("HTTP/1.1 404"), refused);
});
