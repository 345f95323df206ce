import { createWriteStream } from "node:fs";
import { mkdir, realpath, symlink, writeFile } from "node:fs/promises";
import { dirname, join, sep } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract, type Header } from "tar-stream";
import { errorCode, HttpError } from "#sdk/errors.ts";
import type { BuildConfig } from "#sdk/messages.ts";
import { CONFIG_ENTRY, parseBuildConfig } from "./build-config.ts";
import { createEntryRules, type Placed } from "./place-entry.ts";
import { collectEntry, limitBytes, toRefusal } from "./read-tar.ts";
import type { BuilderSettings } from "./settings.ts";

/** Below this a file is collected and written at once, above it streams. */
const SMALL_FILE_BYTES = 256 * 1024;

type Link = Extract<Placed, { kind: "link" }>;
type Stored = Extract<Placed, { kind: "file" | "directory" }>;
/** What tar-stream gives for each entry. */
type Entry = AsyncIterable<unknown> & { readonly header: Header; resume(): unknown };

/**
 * Unpack a build's tar into `folder` (made, must not exist) while it arrives. Rejects with 422 for
 * anything that leaves the context, is no file, folder or link, or breaks a limit; 400 for a torn tar.
 */
export async function unpackContext(
  body: Readable,
  folder: string,
  settings: BuilderSettings,
  signal: AbortSignal,
): Promise<BuildConfig> {
  await mkdir(folder);
  const archive = extract();
  const feeding = pipeline(body, limitBytes(settings.maxContextBytes), archive, { signal });
  // Reported by the loop below, which ends with the same error.
  feeding.catch(() => {});
  try {
    const config = await placeEntries(archive, folder, settings);
    await feeding;
    return config;
  } catch (error) {
    body.destroy();
    signal.throwIfAborted();
    throw toRefusal(error);
  }
}

/** Links are made last, so that no file is ever written through one. */
async function placeEntries(
  archive: AsyncIterable<Entry>,
  folder: string,
  settings: BuilderSettings,
): Promise<BuildConfig> {
  const decide = createEntryRules(settings);
  const write = createWriter(folder);
  const links: Link[] = [];
  let config: BuildConfig | undefined;

  for await (const entry of archive) {
    const placed = decide(entry.header);
    if (placed.kind === "secrets") throw refuseSecrets();
    if (placed.kind === "config") config = parseBuildConfig(await collectEntry(entry));
    else if (placed.kind === "link") links.push(placed);
    else if (placed.kind === "file" || placed.kind === "directory") await write(placed, entry);
    entry.resume();
  }
  await makeLinks(folder, links);
  if (config === undefined)
    throw new HttpError(422, "bad-context", `The build context has no ${CONFIG_ENTRY}.`);
  return config;
}

/** Nothing of a template's Dockerfile runs here, so nothing could read them. */
function refuseSecrets(): HttpError {
  return new HttpError(
    422,
    "needs-container-engine",
    "This machine builds without containers: build secrets need an engine with BuildKit.",
  );
}

function createWriter(folder: string) {
  const made = new Set<string>([folder]);

  return async (placed: Stored, entry: Entry) => {
    const path = join(folder, placed.path);
    if (placed.kind === "directory") return makeFolder(path);
    await makeFolder(dirname(path));
    const options = { flag: "wx", mode: placed.mode };
    if ((entry.header.size ?? 0) <= SMALL_FILE_BYTES)
      await writeFile(path, await collectEntry(entry), options);
    else await pipeline(entry, createWriteStream(path, { flags: "wx", mode: placed.mode }));
  };

  async function makeFolder(path: string): Promise<void> {
    if (made.has(path)) return;
    await mkdir(path, { recursive: true });
    made.add(path);
  }
}

async function makeLinks(folder: string, links: readonly Link[]): Promise<void> {
  for (const { path, target } of links) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await symlink(target, join(folder, path));
  }
  const inside = (await realpath(folder)) + sep;
  for (const { path, target } of links) await checkLink(join(folder, path), path, target, inside);
}

async function checkLink(at: string, path: string, target: string, inside: string): Promise<void> {
  const real = await realpath(at).catch((error: unknown) => {
    throw refuseLink(path, target, `leads nowhere (${errorCode(error) ?? "unknown"})`);
  });
  if (!`${real}${sep}`.startsWith(inside)) throw refuseLink(path, target, "leaves the context");
}

function refuseLink(path: string, target: string, why: string): HttpError {
  const link = `${JSON.stringify(path)} -> ${JSON.stringify(target)}`;
  return new HttpError(422, "bad-context", `Build context link ${link} ${why}.`);
}
