import { once } from "node:events";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { clientFor, startFunction, writeSecrets } from "../test/helpers/stand-alone.ts";

const CALLS = [
  ["github-push", "POST", "?scm=github&delivery=1", "{}", 400],
  ["github-status", "POST", "", '{"v":2,"buildId":"x","step":"status"}', 503],
  ["list-functions", "POST", "", "nobody", 200],
  ["pipeline-log", "GET", "?build=none", "", 404],
  ["audit-event", "POST", "", '{"Source":"test"}', 200],
  ["garbage-collect", "POST", "", "{}", 400],
] as const;

for (const [name, method, query, body, status] of CALLS) {
  test(`${name} runs as a process of its own, for signed calls alone, until SIGTERM`, async (t) => {
    const { child, url } = await startFunction(t, name, await writeSecrets(t));

    const unsigned = await fetch(url + name, { method: "POST", body: "{}" });
    const signed = await clientFor(url).call(name, body, { method, query });
    const gone = once(child, "exit");
    child.kill("SIGTERM");

    t.is(unsigned.status, 401);
    t.is(signed.status, status, await signed.text());
    t.deepEqual(await gone, [0, null]);
  });
}

test("github-event runs as a process of its own and knows GitHub by its webhook secret", async (t) => {
  const { url } = await startFunction(t, "github-event", await writeSecrets(t));

  const response = await fetch(url, { method: "POST", body: "{}" });

  t.is(response.status, 401);
  t.like(await response.json(), { code: "bad-signature" });
});

test("a missing secret stops the start and is named", async (t) => {
  const secrets = await writeSecrets(t);
  await rm(join(secrets, "github-webhook-secret"));

  await t.throwsAsync(startFunction(t, "github-event", secrets), {
    message: /Secret github-webhook-secret cannot be read/,
  });
});
