import type { LogLine } from "../provider.ts";
import { eventually } from "../test-kit.ts";
import { type Check, call, failure } from "./contract-kit.ts";

/** What functions print, and what is kept from everybody else. */
export function testLogsAndSecrets(check: Check): void {
  check("a running function reads a secret's new value", async (t, { engine, image }) => {
    const path = "/read?path=/var/openfaas/secrets/token";
    await engine.createSecret({ name: "token", value: Buffer.from("old") });
    await engine.deploy({ service: "fn", image, secrets: ["token"] });
    const before = await call(engine, "fn", path);

    await engine.updateSecret({ name: "token", value: Buffer.from("new") });

    t.deepEqual([before, await call(engine, "fn", path)], ["old", "new"]);
  });

  check(
    "secrets are created once, updated, removed, and files in the functions that ask for them",
    async (t, { engine, image }) => {
      const value = (text: string) => ({ name: "db-password", value: Buffer.from(text) });
      const early = await failure(engine.updateSecret(value("x")));
      await engine.createSecret(value("first"));
      const twice = await failure(engine.createSecret(value("x")));
      await engine.createSecret({ name: "unasked", value: Buffer.from("x") });

      await engine.deploy({ service: "fn", image, secrets: ["db-password"] });
      const read = await call(engine, "fn", "/read?path=/var/openfaas/secrets/db-password");
      const listed = await call(engine, "fn", "/list?path=/var/openfaas/secrets");
      await engine.updateSecret(value("second"));
      await engine.deploy({ service: "fn", image, secrets: ["db-password"], envVars: { v: "2" } });

      t.like(early, { status: 404, code: "not-found" });
      t.like(twice, { status: 409, code: "exists" });
      t.deepEqual([read, listed], ["first", "db-password"]);
      t.is(await call(engine, "fn", "/read?path=/var/openfaas/secrets/db-password"), "second");
      t.deepEqual((await engine.listSecrets()).toSorted(), ["db-password", "unasked"]);
      await engine.removeSecret("unasked");
      t.deepEqual(await engine.listSecrets(), ["db-password"]);
      t.like(await failure(engine.removeSecret("unasked")), { status: 404, code: "not-found" });
    },
  );

  check(
    "logs keep both outputs, cut by tail, since and instance, and can be followed",
    async (t, { engine, image }) => {
      await engine.deploy({ service: "fn", image, envVars: { version: "logged" } });
      const { signal } = new AbortController();
      for (const text of ["one", "two", "three"]) await call(engine, "fn", `/print?text=${text}`);

      const kept = async () =>
        (await collect(engine.logs({ name: "fn", follow: false, signal }))).map(({ text }) => text);
      const printed = ["started version logged", "one", "two", "three"];
      t.deepEqual(await eventually(kept, printed), printed);
      const tail = await collect(engine.logs({ name: "fn", tail: 2, follow: false, signal }));
      t.deepEqual(
        tail.map(({ text }) => text),
        ["two", "three"],
      );
      const [line] = tail;
      t.like(line, { name: "fn", namespace: "openfaas-fn" });
      t.regex(line?.timestamp ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/);
      const instance = line?.instance ?? "";
      t.is((await collect(engine.logs({ name: "fn", instance, follow: false, signal }))).length, 4);
      const since = new Date(Date.now() + 60_000);
      t.deepEqual(await collect(engine.logs({ name: "fn", since, follow: false, signal })), []);

      const leaving = new AbortController();
      const followed = engine.logs({ name: "fn", tail: 1, follow: true, signal: leaving.signal });
      const heard = readUntil(followed, "live", leaving);
      await call(engine, "fn", "/print?text=live");
      t.deepEqual((await heard).slice(0, 2), ["three", "live"]);
    },
  );

  check(
    "a line without end is cut into pieces, and the rest still comes",
    async (t, { engine, image }) => {
      await engine.deploy({ service: "fn", image });
      await call(engine, "fn", "/print?text=0123456789&times=20000");

      await call(engine, "fn", "/print?text=after");

      const { signal } = new AbortController();
      const lines = await eventually(
        async () => collect(engine.logs({ name: "fn", follow: false, signal })),
        (kept: LogLine[]) => kept.at(-1)?.text === "after",
      );
      const texts = lines.slice(1, -1).map(({ text }) => text);
      t.is(lines.at(-1)?.text, "after");
      t.is(texts[0]?.length, 64 * 1024);
      t.is(texts.join(""), "0123456789".repeat(20_000));
    },
  );
}

async function collect(lines: AsyncIterable<LogLine>): Promise<LogLine[]> {
  const collected: LogLine[] = [];
  for await (const line of lines) collected.push(line);
  return collected;
}

/** Texts up to and including `last`; then the reader leaves. */
async function readUntil(
  lines: AsyncIterable<LogLine>,
  last: string,
  leaving: AbortController,
): Promise<string[]> {
  const texts: string[] = [];
  for await (const { text } of lines) {
    texts.push(text);
    if (text === last) leaving.abort();
  }
  return texts;
}
