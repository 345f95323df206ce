import test from "ava";
import { decideLimits } from "./decide-limits.ts";
import { defaultSettings } from "./settings.ts";

const MiB = 1024 * 1024;

for (const [limits, memoryBytes, nanoCpus] of [
  [{}, 128 * MiB, 1e9],
  [{ memory: "256Mi", cpu: "500m" }, 256 * MiB, 5e8],
  [{ memory: "256m", cpu: "0.25" }, 256 * MiB, 2.5e8],
  [{ memory: "0.5Gi" }, 512 * MiB, 1e9],
  [{ memory: "100M" }, 100_000_000, 1e9],
  [{ memory: "134217728" }, 128 * MiB, 1e9],
  [{ memory: "5Mi", cpu: "1m" }, 16 * MiB, 1e7],
  [{ memory: "", cpu: "" }, 128 * MiB, 1e9],
  [{ cpu: "4" }, 128 * MiB, 2e9],
] as const) {
  test(`limits ${JSON.stringify(limits)} are ${memoryBytes} bytes and ${nanoCpus / 1e9} cores of two`, (t) => {
    t.deepEqual(decideLimits({ limits }, defaultSettings, 2), { memoryBytes, nanoCpus });
  });
}

for (const limits of [
  { memory: "lots" },
  { memory: "-1Mi" },
  { memory: "0" },
  { memory: "1e9Gi" },
  { memory: "128 Mi" },
  { memory: "2049Mi" },
  { cpu: "0" },
  { cpu: "Infinity" },
  { cpu: "4.5" },
  { cpu: "1e3" },
]) {
  test(`limits ${JSON.stringify(limits)} are refused with what was expected`, (t) => {
    const [name = "", text = ""] = Object.entries(limits)[0] ?? [];

    t.throws(() => decideLimits({ limits }, defaultSettings, 2), {
      code: "invalid",
      message: new RegExp(`limits\\.${name} is "${text.replaceAll(".", "\\.")}"; expected`),
    });
  });
}
