import { readFile } from "node:fs/promises";
import test from "ava";
import { readConfig } from "./config.ts";

const ROOMS = {
  functions_provider_url: "unix:/run/provider.sock",
  queue_url: "http://queue:8080",
  forge_url: "unix:/run/forge.sock",
  builder_url: "http://builder:8080/",
  system_functions_url: "unix:/run/functions.sock",
};

test("rooms are Unix sockets or URLs", (t) => {
  const { rooms } = readConfig(ROOMS);

  t.deepEqual(rooms.provider, { origin: "http://localhost", socketPath: "/run/provider.sock" });
  t.deepEqual(rooms.builder, { origin: "http://builder:8080" });
});

test("every room that is missing or wrong is named at once", (t) => {
  const missing = t.throws(() => readConfig({}));
  const wrong = t.throws(() =>
    readConfig({ ...ROOMS, queue_url: "queue", forge_url: "http://f/x" }),
  );

  for (const name of Object.keys(ROOMS)) t.true(missing.message.includes(`${name} is not set`));
  t.regex(wrong.message, /queue_url is "queue"; expected "unix:\/path"/);
  t.regex(wrong.message, /forge_url is "http:\/\/f\/x"/);
});

test("the README's table lists every variable of config.ts", async (t) => {
  const [source, readme] = await Promise.all(
    ["config.ts", "README.md"].map((name) => readFile(new URL(name, import.meta.url), "utf8")),
  );

  const read = [...(source?.matchAll(/read\.\w+\(\s*"(\w+)"/g) ?? [])].map(([, name]) => name);
  const listed = [...(readme?.matchAll(/^\| `(\w+)` +\|/gm) ?? [])].map(([, name]) => name);

  t.deepEqual(listed.toSorted(), read.toSorted());
});
