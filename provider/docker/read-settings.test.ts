import test from "ava";
import { readSettings } from "./read-settings.ts";
import { defaultSettings } from "./settings.ts";

test("an environment that says nothing changes no default", (t) => {
  t.deepEqual({ ...defaultSettings, ...readSettings({}) }, defaultSettings);
});

test("what is set is read with its unit, and lists by their commas", (t) => {
  const settings = readSettings({
    function_memory_limit_mb: "256",
    function_egress: "none",
    function_egress_allow: "10.0.0.5:5432, 10.1.0.0/16,",
    docker_timeout: "2m",
  });

  t.like(settings, {
    memoryBytes: 256 * 1024 * 1024,
    egress: "none",
    egressAllow: ["10.0.0.5:5432", "10.1.0.0/16"],
    dockerTimeoutMs: 120_000,
  });
});

test("every wrong variable is named at once", (t) => {
  const error = t.throws(() => readSettings({ function_egress: "some", function_pids_limit: "1" }));

  t.regex(error?.message ?? "", /function_egress is "some"/);
  t.regex(error?.message ?? "", /function_pids_limit is "1"/);
});
