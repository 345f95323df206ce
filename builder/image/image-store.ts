import { createInterface } from "node:readline";
import { addAbortSignal, Readable } from "node:stream";
import type { DockerOptions } from "dockerode";
import { z } from "zod";
import { describe, HttpError } from "#sdk/errors.ts";
import { type RegistryLogin, registryOf } from "#sdk/registry-logins.ts";
import type { BuildkitAddress } from "../buildkit/address.ts";
import { ignoreStatus } from "./ignore-status.ts";
import { sweepImages } from "./sweep-images.ts";

export type ImageStore = {
  /** Name an image anew, so that a sweep finds it young though all its steps were cached; resolves with its bytes. */
  touch(digest: string, image: string): Promise<number>;
  /** Push a tagged image; resolves with the digest of its manifest. Rejects with 502 `push-failed`. */
  push(
    image: string,
    login: RegistryLogin | undefined,
    tell: (text: string) => void,
    signal: AbortSignal,
  ): Promise<string>;
  /** An image by a name that may be anybody's; `digests` are its registries'. */
  find(reference: string): Promise<StoredImage | undefined>;
  /** The digest that a registry has under a name now; rejects with the engine's or the registry's reason. */
  askRegistry(reference: string, login: RegistryLogin | undefined): Promise<string>;
  /** See sweepImages. */
  sweep(
    prefixes: readonly string[],
    keep: ReadonlySet<string>,
    minimumAgeMs?: number,
  ): Promise<readonly string[]>;
};

export type StoredImage = {
  readonly id: string;
  /** `node@sha256:…`; none of an image that no registry gave or took. */
  readonly digests: readonly string[];
};

const DIGEST = /^sha256:[0-9a-f]{64}$/;
/** Lines of dockerd's answer to a push; a failure comes in one of them, behind a 200. */
const PushLine = z.object({
  status: z.string().optional(),
  error: z.string().optional(),
  aux: z.object({ Digest: z.string().regex(DIGEST).optional() }).optional(),
});

const Distribution = z.object({ Descriptor: z.object({ digest: z.string().regex(DIGEST) }) });

/** The images of the Docker engine whose BuildKit builds. */
export function openImageStore(address: BuildkitAddress): ImageStore {
  // It takes a quarter of a second to load, and is not needed before the first build has ended.
  const opened = () =>
    import("dockerode").then(({ default: Docker }) => new Docker(optionsOf(address)));
  return {
    async touch(digest, image) {
      const docker = await opened();
      const { name, tag } = splitTag(image);
      const built = docker.getImage(digest);
      const [{ Size }] = await Promise.all([built.inspect(), built.tag({ repo: name, tag })]);
      return Size;
    },
    async push(image, login, tell, signal) {
      const docker = await opened();
      const { name, tag } = splitTag(image);
      // Without the header, old engines answer 400 even where no login is needed.
      const authconfig = login ? { ...login, serveraddress: registryOf(name) } : {};
      tell(`pushing ${image}`);
      try {
        const answer = await docker.getImage(name).push({ tag, authconfig, abortSignal: signal });
        return await readDigest(addAbortSignal(signal, Readable.from(answer)));
      } catch (error) {
        signal.throwIfAborted();
        const message = `The image could not be pushed to ${registryOf(name)}: ${describe(error)}.`;
        throw new HttpError(502, "push-failed", message, { cause: error });
      }
    },
    async find(reference) {
      const docker = await opened();
      const found = await docker.getImage(reference).inspect().catch(ignoreStatus(404));
      return found && { id: found.Id, digests: found.RepoDigests ?? [] };
    },
    async askRegistry(reference, login) {
      const docker = await opened();
      const authconfig = login && { ...login, serveraddress: registryOf(reference) };
      const answer: unknown = await docker.getImage(reference).distribution({ authconfig });
      return Distribution.parse(answer).Descriptor.digest;
    },
    sweep: async (...how) => sweepImages(await opened(), ...how),
  };
}

async function readDigest(answer: Readable): Promise<string> {
  let digest: string | undefined;
  // An answer that breaks off has no digest, and that is told.
  answer.on("error", () => {});
  try {
    for await (const line of createInterface({ input: answer })) {
      const { error, aux, status } = PushLine.parse(JSON.parse(line));
      if (error !== undefined) throw new Error(error);
      // Newer engines have it in the text alone.
      digest ??= aux?.Digest ?? /digest: (sha256:[0-9a-f]{64}) /.exec(status ?? "")?.[1];
    }
  } finally {
    // The engine stops pushing to nobody.
    answer.destroy();
  }
  if (digest === undefined) throw new Error("the engine gave no digest");
  return digest;
}

function optionsOf({ at, tls }: BuildkitAddress): DockerOptions {
  if ("path" in at) return { socketPath: at.path };
  if (tls === undefined) return { ...at, protocol: "http" };
  const { ca, cert, key } = tls;
  return {
    ...at,
    protocol: "https",
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

function splitTag(image: string): { readonly name: string; readonly tag: string } {
  const [, name = image, tag = "latest"] = /^(.*):([^:/]+)$/.exec(image) ?? [];
  return { name, tag };
}
