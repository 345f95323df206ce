import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type Docker from "dockerode";
import { pack } from "tar-stream";
import { answering, type TestRepository } from "../test/helpers/repository.ts";
import type { TestDocker } from "../test/helpers/start-docker.ts";

const run = promisify(execFile);
const TEMPLATE = new URL("../templates/template/node24/", import.meta.url).pathname;
const POLL_MS = 3;
/** Also of its interface: at most 15 characters. */
const NETWORK = "ofc-floor";

/** The least that a push can take on this Docker: each of its steps by hand, one after the other. */
export async function prepareFloor({ api }: TestDocker, work: TestRepository) {
  const mirror = await mkdtemp(join(tmpdir(), "ofc-bench-mirror-"));
  await run("git", ["init", "--quiet", "--bare", mirror]);
  const template = await readTemplate();
  const network = await makeNetwork(api);
  let version = 0;
  let running: Docker.Container | undefined;

  return {
    /** Milliseconds from the fetch to the first 200 of the new version. */
    async change(): Promise<number> {
      const text = `floor ${++version}`;
      const sha = await work.commit({ "cart/handler.js": answering(text) });
      const started = performance.now();
      await run("git", ["-C", mirror, "fetch", "--quiet", "--depth", "1", work.folder, sha]);
      const { stdout } = await run("git", [
        "-C",
        mirror,
        "cat-file",
        "blob",
        `${sha}:cart/handler.js`,
      ]);
      await build(api, template, stdout);
      const next = await start(api);
      await awaitAnswer(next, text);
      const ms = performance.now() - started;
      await running?.remove({ force: true });
      running = next;
      return ms;
    },
    async close(): Promise<void> {
      await running?.remove({ force: true });
      await network.remove();
      await rm(mirror, { recursive: true, force: true });
    },
  };
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

async function build(api: Docker, template: Files, handler: string): Promise<void> {
  const tar = pack();
  for (const [name, content] of new Map([
    ...template,
    ["function/handler.js", Buffer.from(handler)],
  ]))
    tar.entry({ name, mtime: new Date(0) }, content);
  tar.finalize();
  const options = { t: "floor:latest", version: "2" as const, networkmode: "none" };
  const progress = await api.buildImage(Readable.from(tar, { objectMode: false }), options);
  await new Promise<void>((resolve, reject) =>
    api.modem.followProgress(progress, (error) => (error ? reject(error) : resolve())),
  );
}

/** As functions have it: a bridge of their own, on which none reaches another. */
function makeNetwork(api: Docker): Promise<Docker.Network> {
  return api.createNetwork({
    Name: NETWORK,
    Driver: "bridge",
    Options: {
      "com.docker.network.bridge.name": NETWORK,
      "com.docker.network.bridge.enable_icc": "false",
    },
  });
}

/** Locked in as the platform locks its functions in. */
async function start(api: Docker): Promise<Docker.Container> {
  const container = await api.createContainer({
    Image: "floor:latest",
    User: "65534:65534",
    HostConfig: {
      NetworkMode: NETWORK,
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

async function awaitAnswer(container: Docker.Container, text: string): Promise<void> {
  const { NetworkSettings } = await container.inspect();
  const url = `http://${NetworkSettings.Networks[NETWORK]?.IPAddress}:8080/`;
  for (;;) {
    const said = await fetch(url).then(
      (answer) => answer.text(),
      () => undefined,
    );
    if (said === text) return;
    await sleep(POLL_MS);
  }
}
