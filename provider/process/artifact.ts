import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { errorCode, HttpError } from "#sdk/errors.ts";

/** A host-built image: what to run, and the folder it runs in. */
export type Artifact = {
  /** Absolute; becomes the working directory. */
  readonly root: string;
  /** Argument list; `node` and `watchdog` stand for the platform's own. */
  readonly command: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
};

const manifest = z.object({
  v: z.literal(1),
  command: z.tuple([z.string().min(1)], z.string()),
  env: z.record(z.string(), z.string()).optional(),
  lang: z.string().optional(),
});

/** Digest of `<name>:<tag>@sha256:<64 hex digits>`; throws `missing-image` for anything else. */
function parseArtifactDigest(image: string): string {
  const digest = /@sha256:([0-9a-f]{64})$/.exec(image)?.[1];
  if (digest === undefined) {
    throw missing(
      image,
      'the process engine runs host-built images, "<name>:<tag>@sha256:<digest>"; build it with the platform or use the docker engine',
    );
  }
  return digest;
}

/** Read `<folder>/<digest>/artifact.json`; throws `missing-image` when it is absent or not usable. */
export async function readArtifact(folder: string, image: string): Promise<Artifact> {
  const home = join(folder, parseArtifactDigest(image));
  const text = await readFile(join(home, "artifact.json"), "utf8").catch((error: unknown) => {
    throw missing(image, `it is not built here (${errorCode(error) ?? "unreadable"}); push again`);
  });
  const { command, env = {} } = parseManifest(image, text);
  return { root: join(home, "root"), command, env };
}

function parseManifest(image: string, text: string): z.infer<typeof manifest> {
  try {
    return manifest.parse(JSON.parse(text));
  } catch (cause) {
    throw missing(image, "its artifact.json is damaged; build it again", cause);
  }
}

function missing(image: string, why: string, cause?: unknown): HttpError {
  return new HttpError(400, "missing-image", `Image "${image}" cannot be run: ${why}.`, { cause });
}
