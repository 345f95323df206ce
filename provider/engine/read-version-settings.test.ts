import test from "ava";
import { readVersionSettings } from "./read-version-settings.ts";

test("a version sleeps after five minutes without a call, and twenty are awake at most", (t) => {
  t.deepEqual(readVersionSettings({}), { versionIdleMs: 300_000, versionsAwake: 20 });
});

for (const [name, value, expected] of [
  ["version_idle_timeout", "0s", /version_idle_timeout is "0s"; expected at least "1s"/],
  ["version_idle_timeout", "soon", /version_idle_timeout is "soon"; expected a duration/],
  ["versions_awake", "0", /versions_awake is "0"/],
] as const) {
  test(`${name} "${value}" is refused`, (t) => {
    t.throws(() => readVersionSettings({ [name]: value }), { message: expected });
  });
}
