import { rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import type { TestFn } from "ava";
import type Docker from "dockerode";
import { pack } from "tar-stream";
import { type BuildkitAddress, parseBuildkitAddress } from "./address.ts";
import type { BuildEvent } from "./build-event.ts";
import { dial } from "./dial.ts";
import type { ImageBuild } from "./image-build.ts";
import { type Buildkit, openBuildkit } from "./open-buildkit.ts";

type Context = { teardown(run: () => Promise<void>): void };

export const BASE = "ofc.test/base:1";

/** Of test/helpers/start-docker.ts. */
type Engine = {
  readonly socketPath: string;
  readonly api: Docker;
  importBase(name: string, programs?: readonly string[]): Promise<void>;
};

export type TestBuildkit = {
  readonly docker: Engine;
  readonly address: BuildkitAddress;
  readonly buildkit: Buildkit;
};

type HowToStart = {
  readonly missing: string | undefined;
  readonly start: (t: Context) => Promise<Engine>;
};

/**
 * One daemon for all tests of a file, which run one after the other: each would take both cores. Where there
 * can be none, one skipped line says why.
 */
export function shareBuildkit(test: TestFn, skipped: string, { missing, start }: HowToStart) {
  const ends: (() => Promise<void>)[] = [];
  const teardown = (run: () => Promise<void>) => void ends.unshift(run);
  test.after.always(async () => {
    for (const end of ends) await end();
  });
  if (missing !== undefined) test.skip(`${skipped}: ${missing}`, () => {});
  const shared = missing === undefined ? start({ teardown }).then(openTestBuildkit) : undefined;
  return {
    dockerTest: missing === undefined ? test.serial : test.skip,
    /** For what lives as long as the file. */
    teardown,
    async setUp(): Promise<TestBuildkit> {
      if (shared === undefined) throw new Error("dockerTest only");
      return shared;
    },
  };
}

/** The BuildKit inside a dockerd, which gets a base image. */
export async function openTestBuildkit(docker: Engine): Promise<TestBuildkit> {
  await docker.importBase(BASE);
  const address = parseBuildkitAddress(`docker-unix://${docker.socketPath}`);
  return { docker, address, buildkit: openBuildkit(address) };
}

/**
 * The same BuildKit as a standalone daemon shows itself: a socket that speaks gRPC and nothing else. Bytes
 * only, so what answers is the real one.
 */
export async function showAsStandalone(t: Context, { docker, address }: TestBuildkit) {
  const path = `${docker.socketPath}.buildkitd`;
  const server = createServer((incoming) => passOn(incoming, address));
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.teardown(async () => {
    server.close();
    await rm(path, { force: true });
  });
  return parseBuildkitAddress(`unix://${path}`);
}

/** Over TCP, for callers with a certificate; resolves with the port. */
export async function showOverTls(t: Context, { address }: TestBuildkit, options: TlsOptions) {
  const server = createTlsServer({ ...options, ALPNProtocols: ["h2"] }, (incoming) =>
    passOn(incoming, address),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(async () => void server.close());
  const at = server.address();
  return typeof at === "object" && at !== null ? at.port : 0;
}

function passOn(incoming: Socket, address: BuildkitAddress): void {
  incoming.on("error", () => {});
  dial(address, "/grpc", {}, AbortSignal.timeout(60_000)).then(
    (upstream) => {
      upstream.on("error", () => incoming.destroy()).on("close", () => incoming.destroy());
      incoming.on("close", () => upstream.destroy());
      incoming.pipe(upstream).pipe(incoming);
    },
    () => incoming.destroy(),
  );
}

export type Files = Readonly<Record<string, string>>;

/** A build of these files as the context, kept in the daemon's store. */
export function imageBuild(
  files: Files,
  changed: Partial<ImageBuild> = {},
): ImageBuild & { readonly events: BuildEvent[] } {
  const events: BuildEvent[] = [];
  return {
    context: tarOf(files),
    dockerfile: "Dockerfile",
    buildArgs: {},
    labels: {},
    cacheScope: "github:1",
    network: "none",
    secrets: new Map(),
    findLogin: () => undefined,
    image: "local/alice/shop/cart:1",
    push: false,
    onEvent: (event) => events.push(event),
    signal: new AbortController().signal,
    ...changed,
    events,
  };
}

export async function* tarOf(files: Files): AsyncGenerator<Uint8Array> {
  const tar = pack();
  for (const [name, text] of Object.entries(files)) tar.entry({ name }, text);
  tar.finalize();
  for await (const chunk of tar) if (chunk instanceof Uint8Array) yield chunk;
}

/** All that the build's steps printed. */
export function printed(events: readonly BuildEvent[]): string {
  return events
    .flatMap((event) => (event.kind === "output" ? [Buffer.from(event.bytes).toString()] : []))
    .join("");
}

/** What a container of the image prints until it ends. */
export async function runIn({ docker }: TestBuildkit, image: string, ...command: string[]) {
  const container = await docker.api.createContainer({ Image: image, Cmd: command, Tty: true });
  // Before the start: what a container prints in its first moment can be missing from its log.
  const printing = await container.attach({ stream: true, stdout: true, stderr: true });
  await container.start();
  const said = await text(Readable.from(printing));
  await container.remove({ force: true });
  return said.replaceAll("\r", "");
}
