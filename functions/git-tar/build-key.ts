import { createHash } from "node:crypto";
import type { UserFile } from "./context-files.ts";

/** Everything that decides what an image holds (design.md section 9, Plan). */
export type BuildInputs = {
  readonly ownerId: string;
  /** Engine's kind, and what its builds start from: Node's version, or what base images stand for. */
  readonly engine: { readonly kind: string; readonly base: string };
  /** `linux/amd64`. */
  readonly platform: string;
  /** Template's name and digest; `dockerfile` alone when the repository brings its own Dockerfile. */
  readonly template: readonly string[];
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly files: readonly UserFile[];
};

/** `v1:<sha256>`: equal keys mean equal images, so they are built once. */
export function buildKey({
  ownerId,
  engine,
  platform,
  template,
  buildArgs,
  files,
}: BuildInputs): string {
  return `v1:${hashOf([
    ownerId,
    [engine.kind, engine.base],
    platform,
    template,
    Object.entries(buildArgs).sort(byName),
    files.map(({ path, entry }) => [path, entry.kind, entry.id]),
  ])}`;
}

/** sha256 of a value's JSON, 64 hex digits. */
export function hashOf(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex");
}

export function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
