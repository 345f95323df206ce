export type ImageParts = {
  /** `127.0.0.1:5000`, `docker.io/of-community/`; a closing slash changes nothing. */
  readonly registry: string;
  readonly ownerSlug: string;
  /** Repository's name as its source spells it. */
  readonly repository: string;
  readonly functionName: string;
  /** 40 hex digits. */
  readonly sha: string;
  /** `v1:<64 hex digits>`. */
  readonly key: string;
};

/** `<registry>/<owner slug>/<repository>/<function>:<sha7>-<key12>`. */
export function formatImage({
  registry,
  ownerSlug,
  repository,
  functionName,
  sha,
  key,
}: ImageParts): string {
  const name = [registry.replace(/\/+$/, ""), ownerSlug, toImagePart(repository), functionName];
  return `${name.join("/")}:${sha.slice(0, 7)}-${key.slice(3, 15)}`;
}

/** A path part as Docker takes it: lower case, single separators, none at the ends. */
function toImagePart(name: string): string {
  const part = name
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/[._-]*([._-])[._-]*/g, "$1")
    .replace(/^[._-]+|[._-]+$/g, "");
  return part === "" ? "repository" : part.slice(0, 100).replace(/[._-]+$/, "");
}
