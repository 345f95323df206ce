import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { addBelow } from "#sdk/env.ts";
import { startPlatform } from "../../test/helpers/platform.ts";
import { checkSettings } from "./check-settings.ts";

/** Something is there, on machines without Docker, too. */
const DOCKER = { DOCKER_HOST: `unix://${import.meta.filename}` };

test("what nobody has set is right, with either engine", async (t) => {
  await t.notThrowsAsync(checkSettings({}, "process"));
  await t.notThrowsAsync(checkSettings(DOCKER, "docker"));
});

for (const [name, value, expected] of [
  ["version_idle_timeout", "1ms", 'expected at least "1s"'],
  ["queue_pipeline_attempts", "none", "expected a whole number from 1 up"],
  ["build_lease", "soon", 'expected a duration such as "30s" or "15m", up to 596h'],
  ["keep_secrets_days", "0", "expected a whole number from 1 to 36500"],
  ["hold_timeout", "soon", 'expected a duration such as "30s" or "15m", up to 596h'],
  ["catch_up_interval", "often", 'expected a duration such as "30s" or "15m", up to 596h'],
  ["disk_reserve_mib", "-1", "expected a whole number from 0 to 1000000000"],
] as const)
  test(`${name} "${value}" is told with what is expected and where it stands`, async (t) => {
    const env = addBelow({}, "gateway_config.yml", { [name]: value });

    await t.throwsAsync(checkSettings(env, "process"), {
      message: `Configuration is not usable:\n  - ${name} is "${value}"; ${expected} (from gateway_config.yml)\nNothing was started; put this right and start again. ./ofc config lists every setting.`,
    });
  });

test("everything that is wrong with Docker's settings is told at once, by the operator's names", async (t) => {
  const env = {
    DOCKER_HOST: "tcp://ofc:canary@10.0.0.1:2376",
    function_sleep: "maybe",
    function_subnet: "10.1.2.3/40",
    build_pids: "many",
    build_egress_allow: "example.org",
    buildkit_url: "http://a:1",
  };

  await t.notThrowsAsync(checkSettings(env, "process"));
  const { message } = await t.throwsAsync(checkSettings(env, "docker"));

  for (const name of Object.keys(env)) t.regex(message, new RegExp(name), message);
  t.regex(message, /function_sleep is "maybe"; expected one of pause, stop \(from environment\)/);
  t.notRegex(message, /canary/);
});

test("a socket that is not there is told before anything waits for it", async (t) => {
  await t.throwsAsync(checkSettings({ DOCKER_HOST: "unix:///none/docker.sock" }, "docker"), {
    message: /DOCKER_HOST: no Docker listens at \/none\/docker\.sock; start it/,
  });
});

test("a range that functions may reach is told by its setting", async (t) => {
  await t.throwsAsync(
    checkSettings({ ...DOCKER, function_egress_allow: "10.1.2.3,a.b" }, "docker"),
    {
      message: /function_egress_allow holds "a\.b"; expected 10\.1\.2\.3,/,
    },
  );
});

test("up with a setting of the engine that cannot be used starts nothing", async (t) => {
  const dataFolder = await mkdtemp(join(tmpdir(), "ofc-test-"));
  t.teardown(() => rm(dataFolder, { recursive: true }));

  const { message } = await t.throwsAsync(
    startPlatform({ dataFolder, env: { version_idle_timeout: "soon" } }),
  );

  t.regex(message, /^up ended with 1:/);
  t.regex(message, /version_idle_timeout is "soon"; expected a duration .*\(from environment\)/);
  t.regex(message, /Nothing was started/);
  t.notRegex(message, /^(gateway|ledger|engine) /m);
});
