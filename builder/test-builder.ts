import { createHmac } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { pack } from "tar-stream";
import { answerRequests } from "#sdk/answer.ts";
import { type PayloadKey, signCall } from "#sdk/internal-signature.ts";
import { silentLog } from "#sdk/log.ts";
import type { BuildLine } from "#sdk/messages.ts";
import type { BuildService } from "./build-service.ts";
import { type Builder, createBuilder } from "./builder.ts";
import type { BuilderSettings } from "./settings.ts";

type Context = { teardown(run: () => Promise<void>): void };
export type Entries = Readonly<Record<string, string>>;

export const KEY: PayloadKey = { id: "test", secret: "payload-secret" };
export const OWNER = "github:1";
export const HANDLER = "module.exports = async () => 'hello';";

/** A builder as it is served: what it throws is an answer. */
export type TestService<B> = {
  readonly builder: B;
  readonly dataFolder: string;
  readonly answer: (request: Request) => Promise<Response>;
  /** Send a signed build and read its lines. */
  build(tar: Uint8Array<ArrayBuffer>, options?: SendOptions): Promise<BuildLine[]>;
  /** Names in the work folder. */
  leftWork(): Promise<string[]>;
};

export type TestBuilder = TestService<Builder> & {
  /** Names in the artefact store and in the work folder. */
  left(): Promise<{ readonly artifacts: string[]; readonly work: string[] }>;
};

export type SendOptions = { readonly owner?: string; readonly signal?: AbortSignal };

/** A builder of either kind on a data folder of its own. */
export async function startService<B extends BuildService>(
  t: Context,
  create: (dataFolder: string) => B,
  log = silentLog,
): Promise<TestService<B>> {
  const dataFolder = await mkdtemp(join(tmpdir(), "ofc-builder-"));
  const builder = create(dataFolder);
  t.teardown(async () => {
    await builder.close();
    await rm(dataFolder, { recursive: true, force: true });
  });
  const answer = answerRequests(builder.handler, log);
  return {
    builder,
    dataFolder,
    answer,
    async build(tar, options) {
      const response = await answer(signedRequest(tar, options));
      return parseLines(await response.text());
    },
    leftWork: () => list(join(dataFolder, "builder", "work")),
  };
}

/** The one that builds without containers. */
export async function startBuilder(
  t: Context,
  settings: Partial<BuilderSettings> = {},
): Promise<TestBuilder> {
  // biome-ignore lint/style/noProcessEnv: npm of this machine is what runs
  const env = process.env;
  const service = await startService(t, (dataFolder) =>
    createBuilder({ dataFolder, keys: [KEY], env, settings, log: silentLog }),
  );
  return {
    ...service,
    left: async () => ({
      artifacts: await list(join(service.dataFolder, "artifacts")),
      work: await service.leftWork(),
    }),
  };
}

/** POST /build with an internal signature, asking for lines. */
export function signedRequest(
  body: Uint8Array<ArrayBuffer>,
  { owner = OWNER, signal }: SendOptions = {},
): Request {
  return new Request("http://builder/build", {
    method: "POST",
    headers: signedHeaders(owner),
    body,
    ...(signal ? { signal } : {}),
  });
}

export function signedHeaders(owner = OWNER): Headers {
  const headers = new Headers({
    accept: "application/x-ndjson",
    "x-content-key": "v1:key",
    "x-owner-id": owner,
  });
  headers.set("x-cloud-signature", signCall({ method: "POST", path: "/build", headers }, KEY));
  return headers;
}

/** POST /build as faas-cli sends it; older releases ask for no lines. */
export function faasCliRequest(
  body: Uint8Array<ArrayBuffer>,
  { secret = KEY.secret, lines = true, path = "/build" } = {},
): Request {
  const digest = createHmac("sha256", secret).update(body).digest("hex");
  const headers = new Headers({ "x-build-signature": `sha256=${digest}` });
  if (lines) headers.set("accept", "application/x-ndjson");
  return new Request(`http://builder${path}`, { method: "POST", headers, body });
}

/** A build of a node24 handler with these files in its folder. */
export function packHandler(files: Entries, config: object = {}): Promise<Uint8Array<ArrayBuffer>> {
  const entries = Object.entries(files).map(([name, text]) => [`context/function/${name}`, text]);
  return packTar({ ...Object.fromEntries(entries), ...configEntry(config) });
}

export function configEntry(config: object = {}): Entries {
  const whole = {
    v: 1,
    image: "local/alice/shop/cart:1",
    lang: "node24",
    ownerId: OWNER,
    ...config,
  };
  return { "com.openfaas.docker.config": JSON.stringify(whole) };
}

export async function packTar(entries: Entries): Promise<Uint8Array<ArrayBuffer>> {
  const tar = pack();
  for (const [name, text] of Object.entries(entries)) tar.entry({ name }, text);
  tar.finalize();
  return collect(tar);
}

export async function collect(tar: AsyncIterable<unknown>): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of tar) if (chunk instanceof Uint8Array) chunks.push(chunk);
  return new Uint8Array(Buffer.concat(chunks));
}

export function parseLines(text: string): BuildLine[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

/** Read an answer while it comes, and leave it before its end. */
export function followLines(response: Response) {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let seen = "";
  return {
    /** Resolves with all that came, once it holds `text` or is over. */
    async readTo(text: string): Promise<string> {
      while (!seen.includes(text)) {
        const next = await reader?.read();
        if (next?.done !== false) break;
        seen += next.value;
      }
      return seen;
    },
    leave: async () => void (await reader?.cancel()),
  };
}

/** Paths below an artefact's root, sorted. */
export async function filesOf(builder: TestBuilder, digest = ""): Promise<string[]> {
  const root = join(builder.dataFolder, "artifacts", digest.replace("sha256:", ""), "root");
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .sort();
}

export async function readManifest(builder: TestBuilder, digest = ""): Promise<unknown> {
  const home = join(builder.dataFolder, "artifacts", digest.replace("sha256:", ""));
  return JSON.parse(await readFile(join(home, "artifact.json"), "utf8"));
}

/** Try every 20 ms until it holds; rejects after `limitMs`. */
export async function poll(
  holds: () => boolean | Promise<boolean>,
  limitMs = 15_000,
): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`still not so after ${limitMs} ms: ${holds}`);
    await wait(20);
  }
}

async function list(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}
