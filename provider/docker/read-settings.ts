import { type Env, readEnv } from "#sdk/env.ts";
import { defaultSettings, type Settings } from "./settings.ts";

const MiB = 1024 * 1024;

/** What an operator has set; the rest is the defaults. Throws one ConfigError that names every problem. */
export function readSettings(env: Env): Settings {
  const read = readEnv(env);
  const fallback = defaultSettings;
  const megabytes = (name: string, bytes: number) =>
    read.integer(name, bytes / MiB, { min: 1, max: 1_048_576 }) * MiB;
  return read.done({
    ...defaultSettings,
    sleep: read.choice("function_sleep", ["pause", "stop"], fallback.sleep),
    memoryBytes: megabytes("function_memory_limit_mb", fallback.memoryBytes),
    memoryMostBytes: megabytes("function_memory_max_mb", fallback.memoryMostBytes),
    cpuMilli: read.integer("function_cpu_limit_milli", fallback.cpuMilli, { min: 10 }),
    cpuMostMilli: read.integer("function_cpu_max_milli", fallback.cpuMostMilli, { min: 10 }),
    processLimit: read.integer("function_pids_limit", fallback.processLimit, { min: 16 }),
    tmpBytes: megabytes("function_tmp_mb", fallback.tmpBytes),
    userId: read.integer("function_user_id", fallback.userId, { min: 1, max: 2 ** 31 - 1 }),
    egress: read.choice("function_egress", ["internet", "any", "none"], fallback.egress),
    egressAllow: splitList(read.text("function_egress_allow", "")),
    firewall: read.choice("function_firewall", ["auto", "none"], fallback.firewall),
    dns: splitList(read.text("function_dns", "")),
    subnet: read.text("function_subnet", ""),
    ociRuntime: read.text("function_runtime", ""),
    pull: read.choice("image_pull", ["missing", "never"], fallback.pull),
    dockerTimeoutMs: read.milliseconds("docker_timeout", `${fallback.dockerTimeoutMs / 1_000}s`),
  });
}

function splitList(text: string): string[] {
  return text
    .split(",")
    .map((one) => one.trim())
    .filter((one) => one !== "");
}
