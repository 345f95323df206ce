import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract, type Header, type Pack, pack } from "tar-stream";
import { describe, HttpError } from "#sdk/errors.ts";
import { writeDigests } from "#sdk/find-bases.ts";
import type { BuildConfig } from "#sdk/messages.ts";
import { CONFIG_ENTRY, parseBuildConfig } from "../build-config.ts";
import { createEntryRules, type Placed } from "../place-entry.ts";
import { collectEntry, limitBytes, toRefusal } from "../read-tar.ts";
import type { BuilderSettings } from "../settings.ts";
import { checkLinks } from "./check-links.ts";

/** What has to be known before a build begins; it may come anywhere in the tar. */
export type ContextHead = {
  readonly config: BuildConfig;
  /** As it came; in the tar it names base images by digest, where the settings came first and say which. */
  readonly dockerfile: string;
};

export type Repacked = {
  readonly tar: AsyncIterable<Uint8Array>;
  /** Settles at the latest with the last bytes of `tar`. */
  readonly head: Promise<ContextHead>;
};

type Entry = AsyncIterable<unknown> & { readonly header: Header; resume(): unknown };

/** What was met on the way. */
type Seen = {
  readonly links: Map<string, string>;
  config: BuildConfig | undefined;
  dockerfile: string | undefined;
};

export const DOCKERFILE = "Dockerfile";
const DOCKERFILE_BYTES = 64 * 1024;

/**
 * Write a build's tar anew while it arrives: the context alone, at its root, of checked entries with fixed
 * owners and times. Both promises of the result reject with 422 for what breaks a rule, 400 for a torn tar.
 * `takeSecrets` gets the sealed secrets, where there are any, before the tar has ended.
 */
export function repackContext(
  body: Readable,
  settings: BuilderSettings,
  signal: AbortSignal,
  takeSecrets: (envelope: Uint8Array) => void,
): Repacked {
  const { promise: head, resolve, reject } = Promise.withResolvers<ContextHead>();
  // Whoever reads the tar hears of it, too.
  head.catch(() => {});
  const tar = pack();
  copyEntries(body, tar, settings, resolve, signal, takeSecrets).then(
    () => tar.finalize(),
    (error: unknown) => {
      const refusal = signal.aborted ? signal.reason : toRefusal(error);
      reject(refusal);
      tar.destroy(refusal instanceof Error ? refusal : new Error(describe(refusal)));
      body.destroy();
    },
  );
  // tar-stream types its chunks as unknown; a pack gives bytes.
  return { tar: tar as AsyncIterable<Uint8Array>, head };
}

async function copyEntries(
  body: Readable,
  tar: Pack,
  settings: BuilderSettings,
  tellHead: (head: ContextHead) => void,
  signal: AbortSignal,
  takeSecrets: (envelope: Uint8Array) => void,
): Promise<void> {
  const decide = createEntryRules(settings);
  const seen: Seen = { links: new Map(), config: undefined, dockerfile: undefined };
  // BuildKit knows a tar by its first header, which has to be a plain one.
  await write(tar, { name: "./", type: "directory", mode: 0o755 }, []);
  // From here on in one go: an archive that ended before anyone reads it never says so.
  signal.throwIfAborted();
  const archive = extract();
  const feeding = pipeline(body, limitBytes(settings.maxContextBytes), archive, { signal });
  // The loop ends with the same error.
  feeding.catch(() => {});

  for await (const entry of archive as AsyncIterable<Entry>) {
    const placed = decide(entry.header);
    if (placed.kind === "secrets") takeSecrets(await collectEntry(entry));
    else await copyEntry(entry, placed, tar, seen);
    const { config, dockerfile } = seen;
    if (config !== undefined && dockerfile !== undefined) tellHead({ config, dockerfile });
    entry.resume();
  }
  await feeding;
  checkLinks(seen.links);
  if (seen.config === undefined) throw refuse(`has no ${CONFIG_ENTRY}`);
  if (seen.dockerfile === undefined) throw refuse(`has no context/${DOCKERFILE}`);
}

async function copyEntry(
  entry: Entry,
  placed: Exclude<Placed, { readonly kind: "secrets" }>,
  tar: Pack,
  seen: Seen,
): Promise<void> {
  if (placed.kind === "ignored") return;
  if (placed.kind === "config") {
    seen.config = parseBuildConfig(await collectEntry(entry));
    if (seen.config.bases !== undefined && seen.dockerfile !== undefined)
      throw refuse(`has a Dockerfile before the ${CONFIG_ENTRY} that names its base images`);
    return;
  }
  const { path: name } = placed;
  if (placed.kind === "link") {
    seen.links.set(name, placed.target);
    return write(tar, { name, type: "symlink", linkname: placed.target, mode: 0o777 }, []);
  }
  if (placed.kind === "directory") {
    if (name !== "") await write(tar, { name, type: "directory", mode: 0o755 }, []);
    return;
  }
  const header = { name, mode: placed.mode, size: entry.header.size ?? 0 };
  if (name !== DOCKERFILE) return write(tar, header, entry);
  const bytes = await collectEntry(refuseLarge(entry, header.size));
  seen.dockerfile = bytes.toString();
  const pinned = pinBases(seen.dockerfile, seen.config) ?? bytes;
  return write(tar, { ...header, size: pinned.length }, [pinned]);
}

/** `undefined` where every name stays. */
function pinBases(text: string, { bases, buildArgs = {} }: Partial<BuildConfig> = {}) {
  if (bases === undefined) return undefined;
  const digestOf = (reference: string) => {
    const pin = Object.hasOwn(bases, reference) ? bases[reference] : undefined;
    return pin?.kind === "digest" ? pin.digest : undefined;
  };
  const written = writeDigests(text, buildArgs, digestOf);
  return written === text ? undefined : Buffer.from(written);
}

function refuseLarge(entry: Entry, size: number): Entry {
  if (size > DOCKERFILE_BYTES)
    throw refuse(`has a Dockerfile of ${size} bytes; at most ${DOCKERFILE_BYTES} are read`);
  return entry;
}

async function write(
  tar: Pack,
  header: Partial<Header> & Pick<Header, "name">,
  chunks: Iterable<Uint8Array> | AsyncIterable<unknown>,
): Promise<void> {
  const { promise: written, resolve, reject } = Promise.withResolvers<void>();
  // It is awaited below, unless the chunks themselves fail first.
  written.catch(() => {});
  const fixed = { uid: 0, gid: 0, mtime: new Date(0) };
  const entry = tar.entry({ ...fixed, ...header }, (error) => (error ? reject(error) : resolve()));
  entry.on("error", reject);
  for await (const chunk of chunks) {
    if (!(chunk instanceof Uint8Array) || entry.write(chunk)) continue;
    await Promise.race([
      new Promise<void>((drained) => entry.once("drain", () => drained())),
      written,
    ]);
  }
  entry.end(undefined);
  await written;
}

function refuse(why: string): HttpError {
  return new HttpError(422, "bad-context", `The build context ${why}.`);
}
