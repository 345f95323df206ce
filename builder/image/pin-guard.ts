import type { BasePin } from "#sdk/base-pin.ts";
import { HttpError } from "#sdk/errors.ts";
import { findBases } from "#sdk/find-bases.ts";
import type { BuildConfig } from "#sdk/messages.ts";
import { describePin } from "./describe-pin.ts";
import type { ImageStore } from "./image-store.ts";
import { findStored } from "./resolve-base.ts";

export type PinGuard = {
  /** Tell each base and what it is, one line each. */
  tell(tell: (line: string) => void): void;
  /** Rejects with 422 when an image that is built on by its name is not the planned one any more; `askAnew` is told. */
  check(find: ImageStore["find"], askAnew: (reference: string) => Promise<unknown>): Promise<void>;
  /** The same failure, with what to do where a pinned image is nowhere to be had. */
  explain(error: unknown): unknown;
};

/** Holds a build to the base images that its plan names; nothing where there is none. */
export function createPinGuard(dockerfile: string, config: BuildConfig): PinGuard {
  const { bases: pins = {}, buildArgs = {} } = config;
  const found = config.bases === undefined ? [] : findBases(dockerfile, buildArgs);
  return {
    tell(tell) {
      for (const line of new Set(found.map(({ written, reference }) => lineOf(written, reference))))
        if (line !== undefined) tell(line);
    },
    async check(find, askAnew) {
      const used = new Set(found.map(({ reference }) => reference));
      for (const [reference, pin] of Object.entries(pins)) {
        if (pin.kind !== "local" || !used.has(reference)) continue;
        const id = (await findStored(find, reference))?.id;
        if (id === pin.imageId) continue;
        await askAnew(reference);
        throw moved(reference, pin.imageId, id);
      }
    },
    explain(error) {
      if (!(error instanceof HttpError) || !LOOKING_UP.test(error.message)) return error;
      const named = Object.entries(pins).find(
        ([reference, pin]) =>
          pin.kind === "digest" && error.message.includes(`${reference}@${pin.digest}`),
      );
      return named === undefined ? error : gone(...named, error);
    },
  };

  function lineOf(written: string, reference: string | undefined): string | undefined {
    if (reference === undefined) return `base ${written}: by its name, which has a variable`;
    const [name = "", digest] = reference.split("@");
    if (digest !== undefined) return `base ${name}: ${digest}, as the Dockerfile says`;
    const pin = Object.hasOwn(pins, reference) ? pins[reference] : undefined;
    return pin && `base ${reference}: ${describePin(pin)}`;
  }
}

/** What BuildKit does when it asks for an image. */
const LOOKING_UP = /^Step "(?:\[internal\] load metadata for |(?:\[[^"]*\] )?FROM )/;

function moved(reference: string, planned: string, id: string | undefined): HttpError {
  const now = id === undefined ? "is not in Docker's store any more" : `is ${id} by now`;
  return new HttpError(
    422,
    "base-moved",
    `The base image ${reference} ${now}; this push was planned on ${planned}. Push again: it is planned anew.`,
  );
}

function gone(reference: string, pin: BasePin, cause: HttpError): HttpError {
  const digest = pin.kind === "digest" ? pin.digest : "";
  return new HttpError(
    cause.status,
    "base-gone",
    `The base image ${reference} is pinned to ${digest}, which is neither in Docker's store nor given by its registry. ` +
      `docker pull ${reference}@${digest} once the registry answers, or have the operator take what ${reference} is now ` +
      `(./ofc bases --refresh) and push again. ${cause.message}`,
    { cause },
  );
}
