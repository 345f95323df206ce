import type { Build } from "./build.ts";
import type { WantedStatus } from "./status.ts";

/** The engine serves something else than the ledger says, by itself. */
export type SwitchBack = {
  readonly service: string;
  /** What serves, as far as the ledger knows. */
  readonly from: FencedRelease;
  /** What serves according to the engine; the ledger may not know it. */
  readonly to: FencedRelease;
  readonly corrections: readonly Correction[];
};

type FencedRelease = { readonly release: string; readonly fence: number };

/** What a build that ended live has to say after all about one of its functions. */
export type Correction = {
  readonly build: Pick<Build, "id" | "repositoryId" | "sha">;
  /** Key in stack.yml. */
  readonly name: string;
  readonly reason: string;
  readonly statuses: readonly WantedStatus[];
};
