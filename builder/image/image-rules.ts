import { HttpError } from "#sdk/errors.ts";
import { scanDockerfile } from "./scan-dockerfile.ts";

/** Where owners' images lie, and what they may build on; as in a reference: `127.0.0.1:5000/base/`, `node`. */
export type ImageRules = {
  /** Below each of which every owner's images lie: `ofc.local`, and `registry.example.org/functions` where they are pushed. */
  readonly platformPrefixes: readonly string[];
  /** What owners may build on besides their own; everything public when empty. */
  readonly basePrefixes: readonly string[];
  /** Frontends that `# syntax=` may name. */
  readonly syntaxes: readonly string[];
};

const DOCKERFILE_LINES = 2_000;

/**
 * Throws 422 for a Dockerfile that reaches for another owner's image, an address of this network, or a
 * frontend of its own. `ownImage` is the reference that is being built.
 */
export function checkDockerfile(
  text: string,
  buildArgs: Readonly<Record<string, string>>,
  ownImage: string,
  rules: ImageRules,
): void {
  if (text.split("\n").length > DOCKERFILE_LINES)
    throw refuse(`has more than ${DOCKERFILE_LINES} lines`);
  if (
    text
      .trimStart()
      .replace(/^\uFEFF?(?:#!.*\n\s*)?/, "")
      .startsWith("{")
  )
    throw refuse("is JSON, not a Dockerfile");
  for (const name of Object.keys(buildArgs))
    if (/^BUILDKIT_/i.test(name) || !/^\w+$/.test(name))
      throw new HttpError(
        422,
        "bad-build-arg",
        `Build argument "${name}" is not for owners to set.`,
      );
  const { images, unclear, syntaxes, remotes } = scanDockerfile(text, buildArgs);
  for (const one of syntaxes) checkSyntax(one, rules);
  for (const one of unclear)
    throw refuse(`builds on "${one}", whose variables have no value before the build`);
  for (const one of remotes)
    throw refuse(
      `adds "${one}": ADD takes files of the context, by a path that starts with ./ where it holds a variable`,
    );
  for (const one of images) checkImage(one, ownImage, rules);
}

/** Throws 422 for an image that this build must not see. Names of stages pass, since they hold no slash. */
export function checkImage(reference: string, ownImage: string, rules: ImageRules): void {
  const repository = toRepository(reference);
  const platforms = rules.platformPrefixes.map(toPrefix);
  const owner = ownerIn(toRepository(ownImage), platforms);
  if (platforms.some((prefix) => repository.startsWith(`${prefix}${owner}/`))) return;
  if (rules.basePrefixes.some((base) => isBelow(reference, base))) return;
  if (platforms.some((prefix) => `${repository}/`.startsWith(prefix)))
    throw refuse(`uses the image "${reference}", which is not one of this owner's`);
  // Two names of one registry must not be two rules.
  if (isNearby(repository.split("/")[0] ?? ""))
    throw refuse(
      `uses the image "${reference}": a registry of this network has to be named by the operator (build_base_images)`,
    );
  if (rules.basePrefixes.length > 0 && !isStage(reference))
    throw refuse(
      `uses the image "${reference}"; functions here build on ${rules.basePrefixes.join(", ")}`,
    );
}

function checkSyntax(name: string, { syntaxes }: ImageRules): void {
  const repository = toRepository(name);
  if (syntaxes.some((one) => toRepository(one) === repository)) return;
  throw refuse(`asks for the frontend "${name}"; allowed are ${syntaxes.join(", ") || "none"}`);
}

/** `docker.io/library/node` of `node:24`: registry and path as Docker completes them, without tag and digest. */
export function toRepository(reference: string): string {
  const name = reference
    .toLowerCase()
    .replace(/^docker-image:\/\//, "")
    .replace(/@.*$/, "")
    .replace(/:[^:/]*$/, "");
  const [first = "", ...rest] = name.split("/");
  const isHost = rest.length > 0 && (/[.:]/.test(first) || first === "localhost");
  const host = /^(?:index\.|registry-1\.)?docker\.io$/.test(first) ? "docker.io" : first;
  const path = isHost ? rest : [first, ...rest];
  const registry = isHost ? host : "docker.io";
  return registry === "docker.io" && path.length === 1
    ? `docker.io/library/${path[0]}`
    : [registry, ...path].join("/");
}

/** Of a prefix, with a slash at its end. */
function toPrefix(prefix: string): string {
  const whole = toRepository(`${prefix.replace(/\/+$/, "")}/x:0`);
  return whole.slice(0, -1);
}

/** Whether a reference lies below a prefix: `node` is one image, `ghcr.io/openfaas/` all that are below it. */
export function isBelow(reference: string, base: string): boolean {
  const repository = toRepository(reference);
  return repository === toRepository(base) || repository.startsWith(toPrefix(base));
}

/** `alice` of `<prefix>alice/shop/cart`; an image elsewhere has no owner. */
function ownerIn(repository: string, platforms: readonly string[]): string {
  const prefix = platforms.find((one) => repository.startsWith(one));
  return prefix === undefined ? "" : (repository.slice(prefix.length).split("/")[0] ?? "");
}

/** Names that only this network knows: localhost, single words, addresses, and anything with a port. */
function isNearby(host: string): boolean {
  return host === "localhost" || !host.includes(".") || /:\d*$|^\[|^[\d.]+$/.test(host);
}

function isStage(name: string): boolean {
  return /^[a-z][\w.-]*$|^\d+$/i.test(name);
}

function refuse(why: string): HttpError {
  return new HttpError(422, "bad-dockerfile", `The Dockerfile ${why}.`);
}
