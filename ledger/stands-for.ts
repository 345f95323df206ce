import type { Content, Release } from "./types/release.ts";

/** Whether a release is what a push brings: it has that content, or a roll-back put it in its place. */
export function standsFor(
  { specHash, digest, insteadOf }: Pick<Release, "specHash" | "digest" | "insteadOf">,
  pushed: Content,
): boolean {
  return [{ specHash, digest }, insteadOf].some(
    (one) => one?.specHash === pushed.specHash && one.digest === pushed.digest,
  );
}
