import { join } from "node:path";
import type { Env } from "#sdk/env.ts";

/** What of the platform's environment package installers get; no secret is among these. */
const PASSED = [
  "PATH",
  "LANG",
  "http_proxy",
  "https_proxy",
  "no_proxy",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "NO_PROXY",
  "NODE_EXTRA_CA_CERTS",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
] as const;

/** A clean environment whose home and temporary folder are the build's own. */
export function toolEnvironment(env: Env, work: string): Readonly<Record<string, string>> {
  const passed = PASSED.flatMap((name) => {
    const value = env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    ...Object.fromEntries(passed),
    HOME: work,
    TMPDIR: work,
    // Neither is there: npm reads the project's .npmrc alone.
    npm_config_userconfig: join(work, "npmrc-of-user"),
    npm_config_globalconfig: join(work, "npmrc-of-machine"),
    // No repository of this machine, no configuration of its users, no question to anyone.
    GIT_ALLOW_PROTOCOL: "https",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_TERMINAL_PROMPT: "0",
  };
}
