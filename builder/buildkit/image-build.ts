import type { FindLogin } from "#sdk/registry-logins.ts";
import type { BuildEvent } from "./build-event.ts";

/** One Dockerfile build. Names and values of `attributes` are the Dockerfile frontend's (spec/buildkit.md section 4). */
export type ImageBuild = {
  /** Tar whose root is the build context; its first entry has a plain header. */
  readonly context: AsyncIterable<Uint8Array>;
  /** In the context. */
  readonly dockerfile: string;
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** Stage to build instead of the last. */
  readonly target?: string;
  /** `linux/amd64`; the daemon's own when absent. */
  readonly platform?: string;
  /** Whose steps and cache mounts this build shares: steps of another scope are never taken for its own. */
  readonly cacheScope: string;
  /** Of `RUN`. */
  readonly network: "none" | "default";
  /** By id, for `RUN --mount=type=secret`. */
  readonly secrets: ReadonlyMap<string, Uint8Array>;
  readonly findLogin: FindLogin;
  /** Reference of the result: kept in the daemon's store, or pushed where it says. */
  readonly image: string;
  readonly push: boolean;
  readonly onEvent: (event: BuildEvent) => void;
  readonly signal: AbortSignal;
};
