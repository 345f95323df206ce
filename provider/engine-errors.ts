import { errorCode, HttpError } from "#sdk/errors.ts";
import type { ReleaseIdentity } from "./provider.ts";

export function notFound(name: string): HttpError {
  return new HttpError(404, "not-found", `Function "${name}" is not deployed.`);
}

/** A newer release was declared while this one was starting. */
export function gaveWay(name: string, old: ReleaseIdentity, fence: number): HttpError {
  return new HttpError(
    409,
    "stale-fence",
    `Function "${name}" is at fence ${fence}; release ${old.release} (fence ${old.fence}) gave way to it.`,
  );
}

/** The reason is in the message, the last lines of the replica are the cause. */
export function neverHealthy(name: string, reason: string, logTail: string): HttpError {
  return new HttpError(
    424,
    "never-healthy",
    `Function "${name}" did not become healthy: ${reason}.`,
    logTail === "" ? {} : { cause: new Error(logTail) },
  );
}

/** A deploy asks for values that its secrets had before. */
export function secretsNotKept(name: string, secrets: readonly string[]): HttpError {
  const which = secrets.map((secret) => `"${secret}"`).join(", ") || "its secrets";
  return new HttpError(
    409,
    "secrets-not-kept",
    `Function "${name}" cannot have the earlier values of ${which}: they are not kept any more, because a secret was removed or its earlier values forgotten, or the version is older than those that are kept; without --with-secrets it goes back with the values of now.`,
  );
}

/** Nothing was changed: what is not durable is not done. */
export function notRecorded(name: string, cause: unknown): HttpError {
  const why = errorCode(cause) ?? "unknown error";
  return new HttpError(
    507,
    "not-recorded",
    `Function "${name}" could not be recorded (${why}); is the data folder's disk full?`,
    { cause },
  );
}

export function closing(): HttpError {
  return new HttpError(503, "closing", "The platform is stopping; try again when it is back.");
}
