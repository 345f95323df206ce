import test from "ava";
import { setUp, talk } from "./test-kit.ts";

const REFUSED: readonly (readonly [what: string, bytes: string])[] = [
  ["no Host", "GET /function/cart HTTP/1.1\r\n\r\n"],
  ["an empty Host", "GET /function/cart HTTP/1.1\r\nHost:\r\n\r\n"],
  ["two Hosts", "GET /function/cart HTTP/1.1\r\nHost: localhost\r\nHOST: localhost\r\n\r\n"],
  ["HTTP/1.0 without Host", "GET /function/cart HTTP/1.0\r\n\r\n"],
  [
    "an absolute target that names another host",
    "GET http://localhost/system/functions HTTP/1.1\r\nHost: alice.localhost\r\n\r\n",
  ],
  ["a target with a user", "GET http://a@localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n"],
  ["the target *", "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n"],
  ["a fragment", "GET /function/cart#x HTTP/1.1\r\nHost: localhost\r\n\r\n"],
  [
    "both lengths (request smuggling)",
    "POST /function/cart HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  ],
  [
    "two Content-Lengths",
    "POST /function/cart HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
  ],
  [
    "an odd Transfer-Encoding",
    "POST /function/cart HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
  ],
];

for (const [what, bytes] of REFUSED) {
  test(`${what} is 400 and reaches no function`, async (t) => {
    const { port, serve } = await setUp(t);
    let reached = 0;
    await serve("cart", (_request, response) => {
      reached++;
      response.end();
    });

    const answer = await talk(port, bytes, /\r\n\r\n/);

    t.regex(answer, /^HTTP\/1\.1 400 /);
    t.is(reached, 0);
  });
}

test("an absolute target that names its host is served as a path", async (t) => {
  const { port, serve } = await setUp(t);
  await serve("cart", (request, response) => response.end(`<${request.url}>`));

  const answer = await talk(
    port,
    "GET http://localhost:1/function/cart/a?b=http://x HTTP/1.1\r\nHost: localhost:1\r\nConnection: close\r\n\r\n",
  );

  t.true(answer.endsWith("</a?b=http://x>"), answer);
});

test("an absolute target does not reach the machines' side through an owner's host", async (t) => {
  const { port } = await setUp(t);

  const answer = await talk(
    port,
    "GET http://alice.localhost/system/functions HTTP/1.1\r\nHost: alice.localhost\r\n\r\n",
    /\n$/,
  );

  t.true(answer.endsWith("No such function: alice-system.\n"), answer);
});

test("headers over 16 KiB are 431, and CONNECT is 405", async (t) => {
  const { port } = await setUp(t);

  const large = await talk(
    port,
    `GET /ready HTTP/1.1\r\nHost: localhost\r\nX-Large: ${"x".repeat(1_000_000)}\r\n\r\n`,
  );
  const connect = await talk(port, "CONNECT localhost:22 HTTP/1.1\r\nHost: localhost:22\r\n\r\n");

  t.regex(large, /^HTTP\/1\.1 431 |ECONNRESET|EPIPE/);
  t.regex(connect, /^HTTP\/1\.1 405 /);
});
