import test from "ava";
import { createDiskGate, decideExcess, readDiskSettings } from "./disk-gate.ts";

const GIB = 1_024 ** 3;
const settings = { ceilingBytes: 10 * GIB, reserveBytes: GIB };

test("data may take 50 GiB, and half a GiB of the disk is kept free, unless settings say otherwise", (t) => {
  t.deepEqual(readDiskSettings({}), { ceilingBytes: 50 * GIB, reserveBytes: GIB / 2 });
  t.deepEqual(readDiskSettings({ disk_ceiling_mib: "1024", disk_reserve_mib: "0" }), {
    ceilingBytes: GIB,
    reserveBytes: 0,
  });
});

test("what is to be given back is what is above the ceiling or missing in the reserve, whichever is more", (t) => {
  const excess = (used: number, free: number) =>
    decideExcess({ usedBytes: used * GIB, freeBytes: free * GIB }, settings) / GIB;

  t.is(excess(10, 1), 0);
  t.is(excess(12, 1), 2);
  t.is(excess(1, 0.25), 0.75);
  t.is(excess(12, 0), 2);
});

test("a full disk is refused with what it has, the limit, its setting and what to do", (t) => {
  const gate = createDiskGate(settings);
  t.is(gate.refusal(), undefined);

  gate.look({ usedBytes: 12 * GIB, freeBytes: 5 * GIB });
  t.is(
    gate.refusal(),
    "The platform's data takes 12 GiB, more than the 10 GiB of disk_ceiling_mib; remove functions, or ask the operator to raise it or to give the disk more room",
  );
  gate.look({ usedBytes: GIB, freeBytes: GIB / 4 });
  t.is(
    gate.refusal(),
    "The platform's disk has 256 MiB free, less than the 1 GiB of disk_reserve_mib; remove functions, or ask the operator to lower it or to give the disk more room",
  );
  gate.look({ usedBytes: GIB, freeBytes: 5 * GIB });
  t.is(gate.refusal(), undefined);
});
