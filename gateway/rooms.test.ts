import { randomBytes } from "node:crypto";
import { request as httpRequest, type IncomingMessage } from "node:http";
import test from "ava";
import { contentKeyOf, signCall } from "#sdk/internal-signature.ts";
import { ADMIN, dial, PAYLOAD_KEY, readAll, setUp, talk, until } from "./test-kit.ts";

/** Headers of a signed call, as createGatewayClient makes them. */
function signed(method: string, path: string, body: string, key = PAYLOAD_KEY): Headers {
  const headers = new Headers({ "x-content-key": contentKeyOf(body) });
  headers.set("x-cloud-signature", signCall({ method, path, headers }, key));
  return headers;
}

test("a signed call reaches the platform's function with its headers", async (t) => {
  const { url, room } = await setUp(t);
  await room("functions", async (request, response) => {
    const body = await readAll(request);
    response.end(`${request.url} ${request.headers["x-content-key"]} ${body}`);
  });
  const path = "/function/git-tar.openfaas-system?build=7";

  const response = await fetch(url + path, {
    method: "POST",
    headers: signed("POST", path, "job"),
    body: "job",
  });

  t.is(await response.text(), `/git-tar?build=7 ${contentKeyOf("job")} job`);
});

test("without a valid signature the platform's functions do not exist, and the log says why", async (t) => {
  const { url, room, lines } = await setUp(t);
  let reached = 0;
  await room("functions", (_request, response) => {
    reached++;
    response.end();
  });
  const path = "/function/git-tar.openfaas-system";
  const once = signed("POST", path, "");
  const strangers: Record<string, Headers> = {
    anonymous: new Headers(),
    "another key": signed("POST", path, "", { id: "1", secret: "guessed" }),
    "an unknown key": signed("POST", path, "", { id: "9", secret: "x" }),
    "another path": signed("POST", "/function/github-push.openfaas-system", ""),
    "another method": signed("GET", path, ""),
  };

  const taken = await fetch(url + path, { method: "POST", headers: once });
  const replayed = await fetch(url + path, { method: "POST", headers: once });

  t.is(taken.status, 200);
  t.is(replayed.status, 404);
  for (const [who, headers] of Object.entries(strangers)) {
    const response = await fetch(url + path, { method: "POST", headers });
    t.is(response.status, 404, who);
    t.is(await response.text(), "No such function: git-tar.openfaas-system.\n", who);
  }
  t.is(reached, 1);
  t.true(lines.some((line) => line.includes("internal-call-refused") && line.includes("before")));
});

test("an unknown system function looks the same as an unsigned one", async (t) => {
  const { port } = await setUp(t);
  const ask = async (name: string): Promise<string> => {
    const answer = await talk(
      port,
      `POST /function/${name}.openfaas-system HTTP/1.1\r\nHost: localhost\r\nX-Call-Id: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
    );
    return answer
      .replaceAll(name, "NAME")
      .replace(/(Date|X-Start-Time|Content-Length): .*\r\n/g, "");
  };

  t.is(await ask("git-tar"), await ask("nothing-here"));
});

test("a job for a user's function is queued when the function exists", async (t) => {
  const { url, room, serve } = await setUp(t);
  await serve("cart", (_request, response) => response.end());
  await room("queue", async (request, response) => {
    response.statusCode = 202;
    response.end(
      `${request.method} ${request.url} ${request.headers["x-call-id"]} ${await readAll(request)}`,
    );
  });

  const known = await fetch(`${url}/async-function/cart/a%2f?b`, { method: "POST", body: "x" });
  const missing = await fetch(`${url}/async-function/nope`, { method: "POST" });
  const status = await fetch(`${url}/async-status/123`);

  t.is(known.status, 202);
  t.is(await known.text(), `POST /async-function/cart/a%2f?b ${known.headers.get("x-call-id")} x`);
  t.is(missing.status, 404);
  t.regex(await status.text(), /^GET \/async-status\/123 /);
});

test("a queued call takes its turn as the function's owner, whatever the caller says", async (t) => {
  const { url, room, serve } = await setUp(t);
  await serve("cart", (_request, response) => response.end());
  const owners: (string | undefined)[] = [];
  await room("queue", (request, response) => {
    owners.push(request.headers["x-owner-id"]?.toString());
    response.writeHead(202).end();
  });

  const headers = { "x-owner-id": "github:583231" };
  await fetch(`${url}/async-function/cart`, { method: "POST", headers });

  t.deepEqual(owners, [undefined]);
});

test("a job for the platform's own function is queued only when signed", async (t) => {
  const { url, room } = await setUp(t);
  await room("queue", (_request, response) => response.writeHead(202).end());
  const path = "/async-function/git-tar.openfaas-system";

  const unsigned = await fetch(url + path, { method: "POST" });
  const taken = await fetch(url + path, { method: "POST", headers: signed("POST", path, "") });

  t.is(unsigned.status, 404);
  t.is(taken.status, 202);
});

test("administration asks for user and password, and signs in to the provider itself", async (t) => {
  const { url, provider } = await setUp(t);
  provider.system = (request, response) =>
    response
      .writeHead(202)
      .end(`${request.method} ${request.url} ${request.headers.authorization}`);
  const basic = (text: string): string => `Basic ${Buffer.from(text).toString("base64")}`;
  const ask = (authorization: string): Promise<Response> =>
    fetch(`${url}/system/secrets?namespace=x`, { method: "POST", headers: { authorization } });

  for (const wrong of [
    "",
    "Basic",
    "Bearer x",
    basic("admin"),
    basic("admin:"),
    basic("root:password"),
  ]) {
    const response = await ask(wrong);
    t.is(response.status, 401, wrong);
    t.is(await response.text(), "invalid credentials");
    t.is(response.headers.get("www-authenticate"), 'Basic realm="Restricted"');
  }
  const taken = await ask(ADMIN);
  t.is(taken.status, 202);
  t.is(await taken.text(), `POST /system/secrets?namespace=x ${ADMIN}`);
});

test("administration routes ask whoever is not signed in for credentials", async (t) => {
  const { url } = await setUp(t);

  for (const path of ["/system/functions", "/system/info", "/system/logs?name=x"]) {
    t.is((await fetch(url + path)).status, 401, path);
  }
});

test("basic_auth=false leaves administration open", async (t) => {
  const { url, provider } = await setUp(t, { basic_auth: "false" });
  provider.system = (_request, response) => response.end("[]");

  t.deepEqual(await (await fetch(`${url}/system/functions`)).json(), []);
});

test("the list of functions carries this gateway's invocation counts", async (t) => {
  const { url, provider, serve } = await setUp(t);
  await serve("cart", (_request, response) => response.end());
  provider.system = (_request, response) =>
    response.end(
      JSON.stringify([
        { name: "cart", namespace: "openfaas-fn", invocationCount: 99, labels: {}, extra: 1 },
        { name: "other", namespace: "openfaas-fn", labels: {} },
      ]),
    );
  for (let count = 0; count < 3; count++) await (await fetch(`${url}/function/cart`)).text();

  const response = await fetch(`${url}/system/functions`, { headers: { authorization: ADMIN } });

  t.is(response.headers.get("content-type"), "application/json");
  t.deepEqual(await response.json(), [
    { name: "cart", namespace: "openfaas-fn", invocationCount: 3, labels: {}, extra: 1 },
    { name: "other", namespace: "openfaas-fn", invocationCount: 0, labels: {} },
  ]);
});

test("a list that the provider refuses or garbles is told as it is", async (t) => {
  const { url, provider } = await setUp(t);
  const ask = (): Promise<Response> =>
    fetch(`${url}/system/functions`, { headers: { authorization: ADMIN } });

  provider.system = (_request, response) => response.writeHead(400).end("no such namespace\n");
  const refused = await ask();
  provider.system = (_request, response) => response.end("<html>");
  const garbled = await ask();

  t.is(refused.status, 400);
  t.is(await refused.text(), "no such namespace\n");
  t.is(garbled.status, 500);
  t.is(await garbled.text(), "Unable to parse list of functions from provider\n");
});

test("info joins the provider's with the gateway's, and is 200 without a provider", async (t) => {
  const { url, provider } = await setUp(t, { release: "1.2.3", git_sha: "abc" });
  const ask = async (): Promise<unknown> =>
    (await fetch(`${url}/system/info`, { headers: { authorization: ADMIN } })).json();
  const version = { commit_message: "See GitHub for latest changes", release: "1.2.3", sha: "abc" };
  const arch = process.arch === "x64" ? "amd64" : process.arch;

  provider.system = (_request, response) => response.end('{"provider":"ofc-process"}');
  t.deepEqual(await ask(), { provider: { provider: "ofc-process" }, version, arch });
  provider.system = (_request, response) => response.writeHead(500).end();
  t.deepEqual(await ask(), { provider: null, version, arch });
});

test("health is the provider's, readiness is the endpoint table's", async (t) => {
  const { url, provider } = await setUp(t);
  provider.system = (request, response) =>
    response.writeHead(request.url === "/healthz" ? 200 : 404).end();

  t.is((await fetch(`${url}/healthz`)).status, 200);
  t.is((await fetch(`${url}/healthz`, { method: "POST" })).status, 405);
  t.is((await fetch(`${url}/ready`)).status, 200);
});

test("a room that is not there is 502 with the platform's mark", async (t) => {
  const { url } = await setUp(t);

  const response = await fetch(`${url}/publickey`);

  t.is(response.status, 502);
  t.is(response.headers.get("x-openfaas-internal"), "gateway");
});

test("a delivery reaches github-event byte for byte from both hosts, and 25 MiB is not too much", async (t) => {
  const { url, port, room } = await setUp(t);
  await room("functions", async (request, response) => {
    const body = await readAll(request);
    response
      .writeHead(202)
      .end(
        `${request.url} ${request.headers["x-github-delivery"]} ${contentKeyOf(Buffer.from(body, "latin1"))}`,
      );
  });
  const body = new Uint8Array(randomBytes(25 * 1_024 ** 2));

  const large = await fetch(`${url}/github-event`, {
    method: "POST",
    headers: { "X-GitHub-Delivery": "1" },
    body,
  });
  const control = await talk(
    port,
    "POST /github-event HTTP/1.1\r\nHost: system.localhost\r\nX-GitHub-Delivery: 2\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
  );

  t.is(await large.text(), `/github-event 1 ${contentKeyOf(body)}`);
  t.true(control.includes(`\r\n/github-event 2 ${contentKeyOf("{}")}\r\n`), control);
});

test("a body over a machine endpoint's limit is 413, declared or not", async (t) => {
  const { port, provider } = await setUp(t, { max_body_bytes: "1000" });
  let whole = 0;
  provider.system = async (request, response) => {
    await readAll(request).then(
      () => whole++,
      () => "cut, as it should be",
    );
    response.end();
  };
  const head = `PUT /system/functions HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${ADMIN}\r\n`;

  const declared = await talk(port, `${head}Content-Length: 1001\r\n\r\n`, /limit/);
  const chunk = `400\r\n${"x".repeat(0x400)}\r\n`;
  const chunked = await talk(
    port,
    `${head}Transfer-Encoding: chunked\r\n\r\n${chunk}${chunk}`,
    /limit/,
  );

  t.regex(declared, /^HTTP\/1\.1 413 .*limit of 1000 bytes/s);
  t.regex(chunked, /^HTTP\/1\.1 413 .*limit of 1000 bytes/s);
  t.is(whole, 0);
});

test("a push to the forge streams both ways, and its path is not decoded", async (t) => {
  const { port, room } = await setUp(t);
  await room("forge", (request, response) => {
    response.write(`${request.url}\n`);
    request.on("data", (chunk) => response.write(`remote: ${chunk}`));
    request.on("end", () => response.end());
  });
  const path = "/git/alice/shop%20.git/git-receive-pack?x=%2f";
  const request = httpRequest({ port, path, method: "POST" });

  request.write("pack");
  const response = await new Promise<IncomingMessage>((resolve) =>
    request.once("response", resolve),
  );
  let text = "";
  response.on("data", (chunk) => {
    text += chunk;
  });
  await until(() => text === `${path}\nremote: pack`);
  request.end();

  t.pass();
});

test("a follower of logs who leaves is noticed by the provider", async (t) => {
  const { port, provider } = await setUp(t);
  let isGone = false;
  provider.system = (_request, response) => {
    response.writeHead(200, { "Content-Type": "application/x-ndjson" });
    response.write('{"text":"line"}\n');
    response.on("close", () => {
      isGone = true;
    });
  };
  const { socket, text } = dial(port);
  socket.write(
    `GET /system/logs?name=cart&follow=true HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${ADMIN}\r\n\r\n`,
  );
  await until(() => text().includes("line"));

  socket.destroy();

  await until(() => isGone);
  t.regex(text(), /Content-Type: application\/x-ndjson/);
});
