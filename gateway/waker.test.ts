import type { RequestListener } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import { ADMIN, type Kit, readAll, setUp, talk, until } from "./test-kit.ts";

const NAME = "alice-cart--1a2b3c4";

/** A version that sleeps, behind a provider that starts it when it is woken. */
async function setUpAsleep(t: ExecutionContext, idleMs = 3_600_000) {
  const kit = await setUp(t);
  const known = { name: NAME, idleMs, owner: "alice" };
  let serve: RequestListener = (_request, response) => response.end("old");
  const replica = await kit.listen((request, response) => serve(request, response));
  const asked: string[] = [];
  kit.provider.system = async ({ method, url }, response) => {
    asked.push(`${method} ${url}`);
    kit.provider.tell({ ...known, replicas: 1 });
    await sleep(50);
    kit.provider.tell({ ...known, replicas: 1, endpoints: [replica.url] });
    response.writeHead(204).end();
  };
  const fallAsleep = async () => {
    kit.provider.tell({ ...known, replicas: 0 });
    await until(() => kit.gateway.table.find(NAME)?.replicas.length === 0);
  };
  kit.provider.tell(known);
  await until(() => kit.gateway.table.find(NAME) !== undefined);
  return {
    ...kit,
    asked,
    fallAsleep,
    answer: (changed: RequestListener) => {
      serve = changed;
    },
    ask: async (path = "", init: RequestInit = {}) => {
      const response = await fetch(`${kit.url}/function/${NAME}${path}`, init);
      return `${response.status} ${await response.text()}`;
    },
  };
}

test("a thousand calls of a version that sleeps wake it once, and each is answered", async (t) => {
  const { ask, asked, answer } = await setUpAsleep(t);
  answer(async (request, response) => response.end(await readAll(request)));
  const bodies = Array.from({ length: 1_000 }, (_, number) => `body ${number}`);

  const answers = await Promise.all(bodies.map((body) => ask("", { method: "POST", body })));

  t.deepEqual(
    answers,
    bodies.map((body) => `200 ${body}`),
  );
  t.deepEqual(asked, [`POST /wake/${NAME}`]);
});

test("a version that fell asleep is woken again by the next call", async (t) => {
  const { ask, asked, fallAsleep } = await setUpAsleep(t);
  const before = await ask();

  await fallAsleep();
  const after = await ask("/path");

  t.deepEqual([before, after], ["200 old", "200 old"]);
  t.is(asked.length, 2);
});

test("the provider hears that a version is used while a call is under way, and no more when none is", async (t) => {
  const { ask, asked, answer } = await setUpAsleep(t, 200);
  const finish = Promise.withResolvers<void>();
  answer(async (_request, response) => {
    await finish.promise;
    response.end("late");
  });

  const asking = ask();
  await until(() => asked.length >= 4);
  finish.resolve();
  const answered = await asking;
  const quiet = async () => {
    const { length } = asked;
    await sleep(400);
    return asked.length === length;
  };

  t.is(answered, "200 late");
  await t.notThrowsAsync(until(quiet));
});

test("a version that cannot be started is 503, and why is in the log alone", async (t) => {
  const { ask, provider, lines } = await setUpAsleep(t);
  provider.system = (_request, response) =>
    void response.writeHead(424).end("replica exited with code 7");

  const answers = await Promise.all([ask(), ask(), ask()]);

  for (const answer of answers) t.is(answer, `503 No endpoints available for: ${NAME}.\n`);
  const told = lines.filter((line) => line.includes("version-not-woken"));
  t.is(told.length, 1);
  t.regex(told[0] ?? "", /replica exited with code 7/);
});

test("a call that is being answered is left alone when its version turns out not to start", async (t) => {
  const { ask, listen, provider, lines } = await setUpAsleep(t);
  const arrived = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  const replica = await listen(async (_request, response) => {
    arrived.resolve();
    await finish.promise;
    response.end("old");
  });
  provider.system = async (_request, response) => {
    provider.tell({ name: NAME, idleMs: 3_600_000, replicas: 1, endpoints: [replica.url] });
    await arrived.promise;
    response.writeHead(424).end("died after its probe");
  };

  const asking = ask();
  await until(() => lines.some((line) => line.includes("version-not-woken")));
  finish.resolve();

  t.is(await asking, "200 old");
});

test("a version that goes while it is waited for keeps nobody waiting", async (t) => {
  const { ask, provider } = await setUpAsleep(t);
  provider.system = ({ method }, response) => {
    if (method === "POST") provider.forget(NAME);
    else response.writeHead(404).end();
  };

  t.regex(await ask(), /^(404|503) No /);
});

const hosts = {
  owner: ["alice.localhost", ""],
  stranger: ["bob.localhost", ""],
  path: ["localhost", "/function/"],
} as const;

/** Status line and body. */
async function get(
  { port }: Kit,
  [host, prefix]: readonly [string, string],
  name: string,
  authorization = "",
): Promise<string> {
  const signed = authorization === "" ? "" : `Authorization: ${authorization}\r\n`;
  const path = prefix === "" ? `/${name}` : `${prefix}${name}`;
  const answer = await talk(
    port,
    `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${signed}Connection: close\r\n\r\n`,
  );
  return `${answer.slice("HTTP/1.1 ".length, 12)} ${answer.slice(answer.indexOf("\r\n\r\n") + 4)}`;
}

test("which versions are kept is told to the operator, and to nobody else", async (t) => {
  const kit = await setUpAsleep(t);
  await kit.serve("alice-cart", (_request, response) => response.end("new"), { owner: "alice" });

  const told = await get(kit, hosts.path, "alice-cart--0000000", ADMIN);
  const own = await get(kit, hosts.owner, "cart--0000000", ADMIN);
  const short = await get(kit, hosts.path, "alice-cart--1a2", ADMIN);
  const nobody = await get(kit, hosts.path, "alice-cart--0000000");
  const noFunction = await get(kit, hosts.path, "alice-none--0000000", ADMIN);

  const kept = (sha: string) =>
    `404 Function "alice-cart" has no version "${sha}": kept are 1a2b3c4.\n`;
  t.deepEqual([told, own, short], [kept("0000000"), kept("0000000"), kept("1a2")]);
  t.is(nobody, "404 No such function: alice-cart--0000000.\n");
  t.is(noFunction, "404 No such function: alice-none--0000000.\n");
  t.deepEqual(kit.asked, [], "nothing was woken");
});

test("on another owner's host a version is not there, whatever its name can be read as", async (t) => {
  const kit = await setUp(t);
  const replica = await kit.listen((_request, response) => response.end("mine"));
  for (const name of ["a-b-c", "a-b-c--1a2b3c4"])
    kit.provider.tell({ name, endpoints: [replica.url], replicas: 1, owner: "a-b" });
  await until(() => kit.gateway.table.find("a-b-c--1a2b3c4")?.replicas.length === 1);

  const own = await get(kit, ["a-b.localhost", ""], "c--1a2b3c4");
  const other = await get(kit, ["a.localhost", ""], "b-c--1a2b3c4", ADMIN);
  const unknown = await get(kit, ["a.localhost", ""], "b-c--0000000", ADMIN);

  t.is(own, "200 mine");
  t.is(other, "404 No such function: a-b-c--1a2b3c4.\n");
  t.is(unknown, "404 No such function: a-b-c--0000000.\n");
});

for (const name of [
  "alice-cart--",
  "alice-cart--1A2B3C4",
  "alice-cart--1a2b3c",
  "alice-cart--1a2b3c4d",
  "alice-cart--1a2b3c4--1a2b3c4",
  "alice-cart---1a2b3c4",
  "alice-cart--1a2b3c4.openfaas-system",
  "alice-cart%2d-1a2b3c4",
  "alice-cart--1a2b3c4%00",
  "alice-cart--../../etc",
  `alice-cart--${"a".repeat(4_000)}`,
])
  test(`${JSON.stringify(name.slice(0, 40))} is no version, and wakes none`, async (t) => {
    const kit = await setUpAsleep(t);

    const answers = [await get(kit, hosts.path, name), await get(kit, hosts.owner, name)];

    for (const answer of answers) t.regex(answer, /^404 /);
    t.deepEqual(kit.asked, []);
  });
