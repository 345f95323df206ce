import test from "ava";
import { formatBytes } from "#sdk/format-bytes.ts";

for (const [bytes, text] of [
  [0, "0 bytes"],
  [1, "1 bytes"],
  [1_023, "1023 bytes"],
  [1_536, "1.5 KiB"],
  [100 * 1_024 ** 2, "100 MiB"],
  [2 * 1_024 ** 3, "2 GiB"],
  [5 * 1_024 ** 5, "5120 TiB"],
] as const) {
  test(`${bytes} is written ${text}`, (t) => {
    t.is(formatBytes(bytes), text);
  });
}
