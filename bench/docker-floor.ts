import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type Docker from "dockerode";
import { pack } from "tar-stream";
import type { TestRepository } from "../test/helpers/repository.ts";
import type { TestDocker } from "../test/helpers/start-docker.ts";
import { handlersOf } from "./prepare-changes.ts";

const run = promisify(execFile);
const TEMPLATE = new URL("../templates/template/node24/", import.meta.url).pathname;
const POLL_MS = 3;
/** As the platform builds. */
const BUILDS_AT_ONCE = 2;

/**
 * The least that a push of `count` functions can take on this Docker: each step by hand, one after the other
 * for a single function; several are built two at a time and then started at once. `network` is also the
 * name of an interface: at most 15 characters.
 */
export async function prepareFloor(
  { api }: TestDocker,
  work: TestRepository,
  network: string,
  count: number,
) {
  const mirror = await mkdtemp(join(tmpdir(), "ofc-bench-mirror-"));
  await run("git", ["init", "--quiet", "--bare", mirror]);
  const template = await readTemplate();
  const made = await makeNetwork(api, network);
  const names = Array.from({ length: count }, (_, at) => `fn${at}`);
  let version = 0;
  let running: readonly Docker.Container[] = [];

  return {
    /** Milliseconds from the fetch to the first 200 of the last new version. */
    async change(): Promise<number> {
      const text = `floor ${++version}`;
      const sha = await work.commit(handlersOf(names, text));
      const started = performance.now();
      await run("git", ["-C", mirror, "fetch", "--quiet", "--depth", "1", work.folder, sha]);
      const waiting = [...names];
      const buildNext = async () => {
        for (let name = waiting.shift(); name !== undefined; name = waiting.shift())
          await build(api, template, name, await readHandler(mirror, sha, name));
      };
      await Promise.all(Array.from({ length: BUILDS_AT_ONCE }, buildNext));
      const next = await Promise.all(names.map((name) => start(api, network, name)));
      for (const container of next) await awaitAnswer(container, network, text);
      const ms = performance.now() - started;
      await removeAll(running);
      running = next;
      return ms;
    },
    async close(): Promise<void> {
      await removeAll(running);
      await made.remove();
      await rm(mirror, { recursive: true, force: true });
    },
  };
}

async function removeAll(containers: readonly Docker.Container[]): Promise<void> {
  await Promise.all(containers.map((container) => container.remove({ force: true })));
}

async function readHandler(mirror: string, sha: string, name: string): Promise<string> {
  const path = `${sha}:${name}/handler.js`;
  return (await run("git", ["-C", mirror, "cat-file", "blob", path])).stdout;
}

type Files = ReadonlyMap<string, Buffer>;

async function readTemplate(): Promise<Files> {
  const entries = await readdir(TEMPLATE, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(TEMPLATE.length));
  return new Map(
    await Promise.all(
      paths.map(async (path) => [path, await readFile(join(TEMPLATE, path))] as const),
    ),
  );
}

async function build(api: Docker, template: Files, name: string, handler: string): Promise<void> {
  const tar = pack();
  const files = new Map([...template, ["function/handler.js", Buffer.from(handler)]]);
  for (const [path, content] of files) tar.entry({ name: path, mtime: new Date(0) }, content);
  tar.finalize();
  const options = { t: `floor-${name}:latest`, version: "2" as const, networkmode: "none" };
  const progress = await api.buildImage(Readable.from(tar, { objectMode: false }), options);
  await new Promise<void>((resolve, reject) =>
    api.modem.followProgress(progress, (error) => (error ? reject(error) : resolve())),
  );
}

/** As functions have it: a bridge of their own, on which none reaches another. */
function makeNetwork(api: Docker, name: string): Promise<Docker.Network> {
  return api.createNetwork({
    Name: name,
    Driver: "bridge",
    Options: {
      "com.docker.network.bridge.name": name,
      "com.docker.network.bridge.enable_icc": "false",
    },
  });
}

/** Locked in as the platform locks its functions in. */
async function start(api: Docker, network: string, name: string): Promise<Docker.Container> {
  const container = await api.createContainer({
    Image: `floor-${name}:latest`,
    User: "65534:65534",
    HostConfig: {
      NetworkMode: network,
      ReadonlyRootfs: true,
      Tmpfs: { "/tmp": "rw,nosuid,nodev,size=16m" },
      Memory: 128 * 1024 ** 2,
      MemorySwap: 128 * 1024 ** 2,
      NanoCpus: 1e9,
      PidsLimit: 512,
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
    },
  });
  await container.start();
  return container;
}

async function awaitAnswer(
  container: Docker.Container,
  network: string,
  text: string,
): Promise<void> {
  const { NetworkSettings } = await container.inspect();
  const url = `http://${NetworkSettings.Networks[network]?.IPAddress}:8080/`;
  for (;;) {
    const said = await fetch(url).then(
      (answer) => answer.text(),
      () => undefined,
    );
    if (said === text) return;
    await sleep(POLL_MS);
  }
}
