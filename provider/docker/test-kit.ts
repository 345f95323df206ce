import { execFile } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import type { Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import type { ExecutionContext, TestFn } from "ava";
import type Docker from "dockerode";
import { pack } from "tar-stream";
import { silentLog } from "#sdk/log.ts";
import { contractTimes, type EngineUnderTest } from "../contract/contract-kit.ts";
import { containerLabels } from "./format-container.ts";
import { type DockerEngine, openDockerEngine } from "./open-docker-engine.ts";
import type { Settings } from "./settings.ts";

/** A dockerd of the test's own. */
export type DockerUnderTest = { readonly socketPath: string; readonly api: Docker };

export type DockerEngineUnderTest = EngineUnderTest & {
  readonly engine: DockerEngine;
  readonly folder: string;
  readonly subnet: string;
  /** Open the same data once more without closing, as after kill -9. */
  openAgain(changed?: Partial<Settings>): Promise<DockerEngine>;
};

type StartedDocker = DockerUnderTest & {
  importBase(name: string, programs?: readonly string[]): Promise<void>;
};

/**
 * One dockerd for a test file, with the test function's image; both are there once the tests run, which
 * begin within `startMs`.
 */
export function shareDocker<Started extends StartedDocker>(
  test: TestFn,
  start: (context: { teardown(run: () => Promise<void>): void }) => Promise<Started>,
  startMs = 180_000,
): { docker(): Started; image(): string } {
  const ends: (() => Promise<void>)[] = [];
  let shared: { readonly docker: Started; readonly image: string } | undefined;
  test.before(async (t) => {
    t.timeout(startMs);
    const docker = await start({ teardown: (end) => ends.push(end) });
    await docker.importBase(BASE_IMAGE, ["node"]);
    shared = { docker, image: await buildTestFunction(docker.api, BASE_IMAGE) };
  });
  test.after.always(async () => {
    for (const end of ends.toReversed()) await end();
  });
  const mustHave = () => {
    if (shared !== undefined) return shared;
    throw new Error("The shared dockerd is not started.");
  };
  return { docker: () => mustHave().docker, image: () => mustHave().image };
}

export const BASE_IMAGE = "ofc.test/node:24";

/** Times of machines that are busy with other tests. */
export const patientTimes = { ...contractTimes, healthDeadlineMs: 60_000 };

/** A docker engine on a data folder and a range of addresses of its own. */
export async function openUnderTest(
  { socketPath, api }: DockerUnderTest,
  image: string,
  settings: Partial<Settings> = {},
  gatewayUrl?: string,
): Promise<DockerEngineUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), "ofc-docker-"));
  const subnet = `10.${randomInt(1, 64)}.${randomInt(0, 256)}.0/24`;
  const opened: DockerEngine[] = [];
  const open = async (changed: Partial<Settings> = {}) => {
    const engine = await openDockerEngine({
      dataFolder: folder,
      dockerHost: `unix://${socketPath}`,
      gatewayUrl,
      log: silentLog,
      settings: { ...patientTimes, pull: "never", subnet, ...settings, ...changed },
    });
    opened.push(engine);
    return engine;
  };
  const engine = await open();

  return {
    engine,
    image,
    folder,
    subnet,
    openAgain: open,
    async reopen() {
      await opened.at(-1)?.close(0);
      const again = await open();
      await again.ready();
      return again;
    },
    async dispose() {
      for (const one of opened) await one.close(0);
      await removeAll(api, folder);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Containers that were kept running, and the network. */
async function removeAll(api: Docker, folder: string): Promise<void> {
  const text = await readFile(join(folder, "engine/docker/platform.json"), "utf8");
  const platform = /"platform":"(\w+)"/.exec(text)?.[1] ?? "";
  const filters = { label: [`${containerLabels.platform}=${platform}`] };
  for (const { Id } of await api.listContainers({ all: true, filters }))
    await api.getContainer(Id).remove({ force: true });
  for (const { Id } of await api.listNetworks({ filters })) await api.getNetwork(Id).remove();
  await removeRules(`OFC-${platform}-`);
}

/** The rules are this machine's, not those of the test's dockerd. */
export async function removeRules(prefix: string): Promise<void> {
  const iptables = (...args: string[]) => run("iptables", ["--wait", ...args]);
  const { stdout } = await iptables("-S");
  const lines = stdout.split("\n").filter((line) => line.includes(prefix));
  for (const line of lines.filter((one) => one.includes(`-j ${prefix}`)))
    await iptables("-D", ...line.split(" ").slice(1));
  for (const line of lines.filter((one) => one.startsWith("-N "))) {
    const chain = line.slice("-N ".length);
    await iptables("-F", chain);
    await iptables("-X", chain);
  }
}

const run = promisify(execFile);

/** Build `test-function/main.mjs` on a base image with node; returns a reference as the pipeline makes it. */
export async function buildTestFunction(
  api: Docker,
  base: string,
  dockerfile: readonly string[] = [],
): Promise<string> {
  const context = pack();
  const lines = [
    `FROM ${base}`,
    "COPY main.mjs /home/app/main.mjs",
    ...dockerfile,
    'ENTRYPOINT ["node", "/home/app/main.mjs"]',
  ];
  context.entry({ name: "Dockerfile" }, lines.join("\n"));
  const source = new URL("../test-function/main.mjs", import.meta.url);
  context.entry({ name: "main.mjs" }, await readFile(source, "utf8"));
  context.finalize();
  const name = `ofc.test/fn:${randomInt(2 ** 40)}`;
  const progress = await api.buildImage(Readable.from(context, { objectMode: false }), { t: name });
  await new Promise<void>((resolve, reject) =>
    api.modem.followProgress(progress, (error) => (error ? reject(error) : resolve())),
  );
  const { Id } = await api.getImage(name).inspect();
  return `${name}@${Id}`;
}

/** The port that a server listens on until the test ends. */
export async function listen(
  t: ExecutionContext,
  server: Server,
  host = "127.0.0.1",
): Promise<number> {
  server.listen(0, host);
  await once(server, "listening");
  t.teardown(() => server.close());
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("It does not listen.");
  return address.port;
}
