import { setTimeout as wait } from "node:timers/promises";
import type { BasePin } from "#sdk/base-pin.ts";
import { describe, HttpError } from "#sdk/errors.ts";
import { type FindLogin, registryOf } from "#sdk/registry-logins.ts";
import { statusOf } from "./ignore-status.ts";
import { toRepository } from "./image-rules.ts";
import type { ImageStore, StoredImage } from "./image-store.ts";

/** Who knows what a name stands for. */
export type BaseSource = {
  /** Absent where builds see no image but those of registries. */
  readonly find?: ImageStore["find"];
  readonly askRegistry: ImageStore["askRegistry"];
  readonly findLogin: FindLogin;
};

export type Resolved = {
  readonly pin: BasePin;
  /** Why its registry, which had to be asked, did not say; the pin is the best that is known. */
  readonly problem?: string;
};

/** A registry that does not answer must not hold a push for long. */
const REGISTRY_LIMIT_MS = 15_000;

/**
 * Decide what a name stands for now. What the store has is taken as it is, unless it is to be refreshed
 * (`earlier` is what it was): then its registry says, and while that does not, it stays. An image that no
 * registry gave is asked of none. Rejects with 503 while Docker does not answer and nothing is known.
 */
export async function resolveBase(
  source: BaseSource,
  reference: string,
  earlier: BasePin | undefined,
): Promise<Resolved> {
  try {
    const here = await lookHere(source, reference);
    const isEnough = here?.kind === "local" || earlier === undefined;
    if (here !== undefined && isEnough) return { pin: here };
    return await askRegistry(source, reference, earlier, here);
  } catch (error) {
    if (earlier === undefined || earlier.kind === "tag") throw error;
    return { pin: earlier, problem: shorten(describe(error)) };
  }
}

async function lookHere({ find }: BaseSource, reference: string): Promise<BasePin | undefined> {
  const stored = find && (await findStored(find, reference));
  return stored && pinOf(stored, reference);
}

async function askRegistry(
  { askRegistry: ask, findLogin }: BaseSource,
  reference: string,
  earlier: BasePin | undefined,
  here: BasePin | undefined,
): Promise<Resolved> {
  try {
    const asking = ask(reference, findLogin(registryOf(reference)));
    return { pin: { kind: "digest", digest: await withinLimit(asking) } };
  } catch (error) {
    const problem = shorten(describe(error));
    if (earlier?.kind === "digest") return { pin: earlier, problem };
    return { pin: here ?? { kind: "tag", reason: problem }, problem };
  }
}

/** Without what the client puts before Docker's own words. */
function shorten(text: string): string {
  return text
    .replace(/^\(HTTP code \d+\) [^-]*- /, "")
    .trim()
    .slice(0, 300);
}

function pinOf({ id, digests }: StoredImage, reference: string): BasePin {
  const repository = toRepository(reference);
  const own = digests.find((one) => toRepository(one) === repository);
  if (own === undefined) return { kind: "local", imageId: id };
  return { kind: "digest", digest: own.replace(/^.*@/, "") };
}

async function withinLimit<T>(asking: Promise<T>): Promise<T> {
  const done = new AbortController();
  const late = wait(REGISTRY_LIMIT_MS, undefined, { signal: done.signal, ref: false }).then(() => {
    throw new Error(`its registry did not answer within ${REGISTRY_LIMIT_MS / 1_000} s`);
  });
  // Aborted when it is not needed any more.
  late.catch(() => {});
  try {
    return await Promise.race([asking, late]);
  } finally {
    done.abort();
  }
}

/** Rejects with 503 while Docker does not say. */
export function findStored(
  find: ImageStore["find"],
  reference: string,
): Promise<StoredImage | undefined> {
  return find(reference).catch(throwUnreachable);
}

function throwUnreachable(error: unknown): never {
  const why = describe(error).trim();
  if (statusOf(error) !== undefined)
    throw new HttpError(503, "docker-refused", `Docker does not say which images it has: ${why}.`);
  throw new HttpError(503, "docker-unreachable", `Docker cannot be asked for base images: ${why}.`);
}
