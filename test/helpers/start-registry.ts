import { execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

const run = promisify(execFile);

type Context = { teardown(run: () => Promise<void>): void };

export type TestRegistry = {
  /** `127.0.0.1:<port>`. */
  readonly host: string;
  /** SIGKILL. */
  stop(): Promise<void>;
  /** Start it again at the same address over what it holds. */
  start(): Promise<void>;
  /** Give it more room than `roomMib`. */
  grow(roomMib: number): Promise<void>;
};

export type RegistryOptions = {
  /** It asks for user `ofc` and password `secret`. */
  readonly login?: boolean;
  /** Room for images, in MiB; only root can bound it. As much as the disk has when absent. */
  readonly roomMib?: number;
};

/** Why no registry can run here; `undefined` where it can. */
export const registryMissing: string | undefined =
  spawnSync("docker-registry", ["--version"]).error === undefined
    ? undefined
    : "docker-registry is not installed (apt-get install docker-registry)";

/** User `ofc`, password `secret`, as bcrypt, the only form the registry takes. */
const HTPASSWD = "ofc:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a";

/** Debian's docker-registry on a port of its own. */
export async function startRegistry(
  t: Context,
  { login = false, roomMib }: RegistryOptions = {},
): Promise<TestRegistry> {
  const folder = await mkdtemp(join(tmpdir(), "ofc-registry-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const data = join(folder, "data");
  await mkdir(data);
  if (roomMib !== undefined) await mountSmall(t, data, roomMib);
  const htpasswd = join(folder, "htpasswd");
  await writeFile(htpasswd, `${HTPASSWD}\n`);
  const configure = (addr: string) => ({
    version: 0.1,
    log: { level: "info", formatter: "json" },
    storage: { filesystem: { rootdirectory: data }, delete: { enabled: true } },
    http: { addr },
    ...(login ? { auth: { htpasswd: { realm: "test", path: htpasswd } } } : {}),
  });
  const config = join(folder, "config.yml");
  // JSON is YAML.
  const serveAt = async (addr: string) => {
    await writeFile(config, JSON.stringify(configure(addr)));
    return serve(config);
  };
  let running = await serveAt("127.0.0.1:0");
  const { host } = running;
  t.teardown(() => running.stop());
  return {
    host,
    stop: () => running.stop(),
    async start() {
      running = await serveAt(host);
    },
    grow: async (mib) => void (await run("mount", ["-o", `remount,size=${mib}m`, data])),
  };
}

async function serve(config: string) {
  const registry = spawn("docker-registry", ["serve", config], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = once(registry, "exit");
  const stop = async () => {
    registry.kill("SIGKILL");
    await ended;
  };
  for await (const line of createInterface({ input: registry.stderr })) {
    const host = /listening on (127\.0\.0\.1:\d+)/.exec(line)?.[1];
    if (host === undefined) continue;
    registry.stderr.resume();
    return { host, stop };
  }
  throw new Error("docker-registry ended before it listened.");
}

async function mountSmall(t: Context, folder: string, mib: number): Promise<void> {
  await run("mount", ["-t", "tmpfs", "-o", `size=${mib}m`, "tmpfs", folder]);
  t.teardown(async () => void (await run("umount", [folder])));
}
