import test from "ava";
import fc from "fast-check";
import { createAddresses, gatewayOf } from "./addresses.ts";

const never = new AbortController().signal;

test("addresses are given out in turn, and one that was given back comes last", async (t) => {
  const addresses = createAddresses("10.1.2.0/28", 0);
  const first = await addresses.take(never);
  addresses.free(first);

  const rest = await Promise.all(Array.from({ length: 13 }, () => addresses.take(never)));

  t.is(first, "10.1.2.2");
  t.is(rest[0], "10.1.2.3");
  t.is(rest.at(-1), first);
  t.false(rest.includes("10.1.2.15"));
});

test("an address in use is never given out; when all are, whoever asks waits for one, in turn", async (t) => {
  const addresses = createAddresses("10.1.2.0/28", 0.99);
  addresses.hold("10.1.2.7");
  const taken = await Promise.all(Array.from({ length: 12 }, () => addresses.take(never)));

  const waiting = ["one", "two"].map(async (name) => [name, await addresses.take(never)]);
  addresses.free("10.1.2.7");
  addresses.free("10.1.2.3");

  t.false(taken.includes("10.1.2.7"));
  t.deepEqual(await Promise.all(waiting), [
    ["one", "10.1.2.7"],
    ["two", "10.1.2.3"],
  ]);
});

test("whoever waits too long hears which range is too small, and gets none that is freed later", async (t) => {
  const addresses = createAddresses("10.1.2.0/28", 0);
  await Promise.all(Array.from({ length: 13 }, () => addresses.take(never)));
  const patience = new AbortController();

  const waiting = addresses.take(patience.signal);
  patience.abort();

  await t.throwsAsync(waiting, { message: /all 13 addresses of 10\.1\.2\.0\/28 are taken/ });
  await t.throwsAsync(addresses.take(patience.signal), { message: /are taken/ });
  addresses.free("10.1.2.5");
  t.is(await addresses.take(never), "10.1.2.5");
});

test("whatever is taken and freed, no address is held twice or lies outside the range", async (t) => {
  const steps = fc.array(fc.boolean(), { maxLength: 200 });
  await fc.assert(
    fc.asyncProperty(
      steps,
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      async (takes, start) => {
        const addresses = createAddresses("172.20.0.0/25", start);
        const held: string[] = [];
        for (const take of takes) {
          if (take && held.length < 125) held.push(await addresses.take(never));
          else if (held.length > 0) addresses.free(held.shift() ?? "");
        }
        t.is(new Set(held).size, held.length);
        t.true(held.every((one) => /^172\.20\.0\.(?:[2-9]|[1-9]\d|1[01]\d|12[0-6])$/.test(one)));
      },
    ),
  );
});

test("the gateway of a range is its first address", (t) => {
  t.is(gatewayOf("172.18.0.0/16"), "172.18.0.1");
});

for (const range of ["10.1.2.0", "10.1.2.1/24", "10.1.2.0/31", "10.1.2.300/24", "fd00::/64", ""]) {
  test(`"${range}" is no range`, (t) => {
    t.throws(() => gatewayOf(range), { message: /no range of addresses|no IPv4 address/ });
  });
}
