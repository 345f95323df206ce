import type Docker from "dockerode";
import { describe, HttpError } from "#sdk/errors.ts";
import { dockerStatus } from "./connect-docker.ts";
import type { LocalImage } from "./format-container.ts";

/** The image of a reference in dockerd's store; throws `missing-image` when it is not there. */
export async function findImage(docker: Docker, reference: string): Promise<LocalImage> {
  const found = await lookUp(docker, reference);
  if (found !== undefined) return found;
  throw missing(reference, "it is not in Docker's store; push again, or build it anew");
}

/** The same, pulled first when it is not there. */
export async function pullImage(
  docker: Docker,
  reference: string,
  pull: () => Promise<void>,
): Promise<LocalImage> {
  const found = await lookUp(docker, reference);
  if (found !== undefined) return found;
  await pull().catch((cause: unknown) => {
    throw missing(
      reference,
      `it is not in Docker's store and cannot be pulled (${describe(cause)})`,
    );
  });
  return findImage(docker, reference);
}

/**
 * By its name, or by the digest after `@`: the one of an image that was built here is the id of its
 * configuration, which Docker finds without the name only.
 */
async function lookUp(docker: Docker, reference: string): Promise<LocalImage | undefined> {
  if (!REFERENCE.test(reference)) throw missing(reference, "it is no image reference");
  const digest = /@(sha256:[0-9a-f]{64})$/.exec(reference)?.[1];
  return (
    (await inspect(docker, reference)) ??
    (digest === undefined ? undefined : await inspect(docker, digest))
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

function missing(reference: string, why: string): HttpError {
  return new HttpError(400, "missing-image", `Image "${reference}" cannot be run: ${why}.`);
}
