import test from "ava";
import fc from "fast-check";
import { createAddresses, gatewayOf } from "./addresses.ts";

test("addresses are given out in turn, and one that was given back comes last", (t) => {
  const addresses = createAddresses("10.1.2.0/28", 0);
  const first = addresses.take();
  addresses.free(first);

  const rest = Array.from({ length: 13 }, () => addresses.take());

  t.is(first, "10.1.2.2");
  t.is(rest[0], "10.1.2.3");
  t.is(rest.at(-1), first);
  t.false(rest.includes("10.1.2.15"));
});

test("an address in use is never given out, and an empty range says so", (t) => {
  const addresses = createAddresses("10.1.2.0/28", 0.99);
  addresses.hold("10.1.2.7");

  const taken = Array.from({ length: 12 }, () => addresses.take());

  t.false(taken.includes("10.1.2.7"));
  t.throws(() => addresses.take(), { message: /all 13 addresses of 10\.1\.2\.0\/28 are taken/ });
});

test("whatever is taken and freed, no address is held twice or lies outside the range", (t) => {
  const steps = fc.array(fc.boolean(), { maxLength: 200 });
  fc.assert(
    fc.property(steps, fc.double({ min: 0, max: 0.999, noNaN: true }), (takes, start) => {
      const addresses = createAddresses("172.20.0.0/25", start);
      const held: string[] = [];
      for (const take of takes) {
        if (take && held.length < 125) held.push(addresses.take());
        else if (held.length > 0) addresses.free(held.shift() ?? "");
      }
      t.is(new Set(held).size, held.length);
      t.true(held.every((one) => /^172\.20\.0\.(?:[2-9]|[1-9]\d|1[01]\d|12[0-6])$/.test(one)));
    }),
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
