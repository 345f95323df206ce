import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

type Context = { teardown(run: () => Promise<void>): void };

export type TestRegistry = {
  /** `127.0.0.1:<port>`. */
  readonly host: string;
  stop(): Promise<void>;
};

/** Why no registry can run here; `undefined` where it can. */
export const registryMissing: string | undefined =
  spawnSync("docker-registry", ["--version"]).error === undefined
    ? undefined
    : "docker-registry is not installed (apt-get install docker-registry)";

/** User `ofc`, password `secret`, as bcrypt, the only form the registry takes. */
const HTPASSWD = "ofc:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a";

/** Debian's docker-registry on a port of its own; with `login` it asks for user `ofc` and password `secret`. */
export async function startRegistry(t: Context, { login = false } = {}): Promise<TestRegistry> {
  const folder = await mkdtemp(join(tmpdir(), "ofc-registry-"));
  const htpasswd = join(folder, "htpasswd");
  await writeFile(htpasswd, `${HTPASSWD}\n`);
  const config = {
    version: 0.1,
    log: { level: "info", formatter: "json" },
    storage: { filesystem: { rootdirectory: join(folder, "data") }, delete: { enabled: true } },
    http: { addr: "127.0.0.1:0" },
    ...(login ? { auth: { htpasswd: { realm: "test", path: htpasswd } } } : {}),
  };
  // JSON is YAML.
  await writeFile(join(folder, "config.yml"), JSON.stringify(config));
  const registry = spawn("docker-registry", ["serve", join(folder, "config.yml")], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = once(registry, "exit");
  const stop = async () => {
    registry.kill("SIGKILL");
    await ended;
  };
  t.teardown(async () => {
    await stop();
    await rm(folder, { recursive: true, force: true });
  });
  const lines = createInterface({ input: registry.stderr });
  for await (const line of lines) {
    const host = /listening on (127\.0\.0\.1:\d+)/.exec(line)?.[1];
    if (host === undefined) continue;
    registry.stderr.resume();
    return { host, stop };
  }
  throw new Error("docker-registry ended before it listened.");
}
