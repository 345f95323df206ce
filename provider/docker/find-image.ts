import type Docker from "dockerode";
import { describe, HttpError } from "#sdk/errors.ts";
import { readLogins, registryOf } from "#sdk/registry-logins.ts";
import { type DockerApi, dockerStatus } from "./connect-docker.ts";
import type { LocalImage } from "./format-container.ts";
import type { Settings } from "./settings.ts";

export type ImageTools = {
  readonly docker: DockerApi;
  readonly settings: Pick<Settings, "pull" | "dockerTimeoutMs">;
  /** Text of a Docker `config.json` with the registries' credentials, read anew for each pull. */
  readRegistryAuth(): Promise<string | undefined>;
};

/** The image of a reference in dockerd's store, pulled when allowed; throws `missing-image`. */
export async function findImage(tools: ImageTools, reference: string): Promise<LocalImage> {
  const found = await lookUp(tools.docker.calls, reference);
  if (found !== undefined) return found;
  if (tools.settings.pull === "never") throw missing(reference, "it is not in Docker's store");
  await pull(tools, reference).catch((cause: unknown) => {
    throw missing(reference, `it cannot be pulled (${describe(cause)})`, cause);
  });
  const pulled = await lookUp(tools.docker.calls, reference);
  if (pulled !== undefined) return pulled;
  throw missing(reference, "its registry has another under that digest");
}

/**
 * By the digest after `@` first: the one of an image that was built here is the id of its configuration,
 * which Docker finds without the name only. Then by its name, as it was pulled.
 */
async function lookUp(docker: Docker, reference: string): Promise<LocalImage | undefined> {
  if (!REFERENCE.test(reference)) throw missing(reference, "it is no image reference");
  const digest = /@(sha256:[0-9a-f]{64})$/.exec(reference)?.[1];
  return (
    (digest === undefined ? undefined : await inspect(docker, digest)) ??
    (await inspect(docker, reference))
  );
}

/** Nothing that would lead to another path of Docker's API. */
const REFERENCE = /^(?!.*\.\.)[a-z0-9][-\w.:/@]{0,400}$/i;

async function inspect(docker: Docker, name: string): Promise<LocalImage | undefined> {
  try {
    const { Id, Config } = await docker.getImage(name).inspect();
    return { id: Id, user: Config?.User ?? "", env: Config?.Env ?? [] };
  } catch (error) {
    const status = dockerStatus(error);
    // Docker answers 400 to a reference that it cannot parse.
    if (status === 404 || status === 400) return undefined;
    throw error;
  }
}

async function pull(tools: ImageTools, reference: string): Promise<void> {
  const { streams } = tools.docker;
  const secret = await tools.readRegistryAuth();
  const serveraddress = registryOf(reference);
  const login = secret === undefined ? undefined : readLogins(secret)(serveraddress);
  const progress = await streams.pull(reference, {
    abortSignal: AbortSignal.timeout(10 * tools.settings.dockerTimeoutMs),
    ...(login === undefined ? {} : { authconfig: { ...login, serveraddress } }),
  });
  await new Promise<void>((resolve, reject) =>
    streams.modem.followProgress(progress, (error) => (error ? reject(error) : resolve())),
  );
}

function missing(reference: string, why: string, cause?: unknown): HttpError {
  return new HttpError(
    400,
    "missing-image",
    `Image "${reference}" cannot be run: ${why}; push again, or build it anew.`,
    cause === undefined ? {} : { cause },
  );
}
