import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { createLog } from "#sdk/log.ts";
import { serve } from "#sdk/serve.ts";
import { setUpIntake } from "../../test/helpers/intake.ts";
import { pushDelivery } from "../../test/helpers/push-delivery.ts";
import { readConfig } from "./config.ts";
import { createCustomers, parseCustomers } from "./customers.ts";

const log = createLog(() => {});

/** A web server whose answer tests change, and a clock that tests move. */
async function setUp(t: ExecutionContext) {
  const source = { status: 200, text: "alice\n", asked: 0 };
  const served = await serve(
    () => {
      source.asked += 1;
      return new Response(source.text, { status: source.status });
    },
    { port: 0, hostname: "127.0.0.1" },
  );
  t.teardown(() => served.close(0));
  const clock = { now: 0 };
  const customers = createCustomers({
    config: readConfig({ customers_url: `${served.url}/CUSTOMERS` }),
    now: () => clock.now,
  });
  return { source, clock, refuse: (login: string) => customers.refuse(login, log) };
}

test("names are trimmed, lower-cased and may carry comments", (t) => {
  const list = parseCustomers("# ours\n  Alice \r\n\nbob # since May\n");

  t.deepEqual([...list], ["alice", "bob"]);
});

test("a page that is no list of logins is not taken for one", (t) => {
  t.throws(() => parseCustomers("alice\n<html><body>Sign in</body></html>"), { message: /line 2/ });
});

test("a login is found whatever its case, and a stranger is told what to ask for", async (t) => {
  const { refuse } = await setUp(t);

  t.is(await refuse("ALICE"), undefined);
  t.regex((await refuse("alice-x")) ?? "", /"alice-x" is not on the list of customers; ask/);
});

test("the list is fetched once in five minutes, however many ask at the same moment", async (t) => {
  const { source, clock, refuse } = await setUp(t);

  await Promise.all([refuse("alice"), refuse("bob"), refuse("carol")]);
  clock.now += 299_999;
  await refuse("alice");
  const before = source.asked;
  clock.now += 1;
  await refuse("alice");

  t.is(before, 1);
  t.is(source.asked, 2);
});

for (const [what, change] of [
  ["an error page", { status: 502, text: "bad gateway" }],
  ["a page that is no list", { text: "<html>" }],
] as const) {
  test(`${what} leaves the old list in force`, async (t) => {
    const { source, clock, refuse } = await setUp(t);
    await refuse("alice");

    Object.assign(source, change);
    clock.now += 600_000;

    t.is(await refuse("alice"), undefined);
    t.not(await refuse("bob"), undefined);
  });
}

test("while no list was ever read everybody is turned away with 503, and later let in", async (t) => {
  const { source, refuse } = await setUp(t);
  source.status = 500;

  await t.throwsAsync(refuse("alice"), { message: /could not be read yet/ });
  source.status = 200;

  t.is(await refuse("alice"), undefined);
});

test("a file of customers wins over the URL and is read again when it grows old", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "customers-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const path = join(folder, "customers");
  await writeFile(path, "bob\n");
  const clock = { now: 0 };
  const config = readConfig({ customers_path: path, customers_url: "http://127.0.0.1:1/" });
  const customers = createCustomers({ config, now: () => clock.now });

  t.not(await customers.refuse("alice", log), undefined);
  await writeFile(path, "alice\n");
  clock.now += 300_000;

  t.is(await customers.refuse("alice", log), undefined);
});

test("without a list everybody is served, and the warning comes once", async (t) => {
  const lines: string[] = [];
  const customers = createCustomers({ config: readConfig({}) });

  const loud = createLog((line) => lines.push(line));
  t.is(await customers.refuse("anyone", loud), undefined);
  t.is(await customers.refuse("somebody", loud), undefined);

  t.is(lines.length, 1);
  t.regex(lines[0] ?? "", /customers-not-checked/);
});

test("without a list a public App serves its own account alone", async (t) => {
  const config = readConfig({ github_app_public: "true", github_app_owner: "Acme" });
  const customers = createCustomers({ config });

  t.is(await customers.refuse("acme", log), undefined);
  t.regex((await customers.refuse("alice", log)) ?? "", /does not own the public GitHub App/);
});

test("a stranger's push is refused with 403, recorded, and again with the same words", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "customers-"));
  t.teardown(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, "list"), "bob\n");
  const { deliver, ledger } = setUpIntake(t, { customers_path: join(folder, "list") });

  const first = await deliver(pushDelivery({ id: "stranger" }));
  const second = await deliver(pushDelivery({ id: "stranger" }));

  t.is(first.status, 403);
  t.like(ledger.findDelivery("github:stranger"), {
    decision: "refused",
    ownerLogin: "Alice",
    repository: "Alice/shop",
  });
  t.deepEqual([second.status, await second.json()], [403, await first.json()]);
});

test("a list that cannot be read is a 503 that leaves no record, so that the delivery can come again", async (t) => {
  const { deliver, ledger } = setUpIntake(t, { customers_path: "/nonexistent/customers" });

  const response = await deliver(pushDelivery());

  t.is(response.status, 503);
  t.deepEqual(ledger.listDeliveries(1), []);
});
