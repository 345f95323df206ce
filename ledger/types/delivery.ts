import type { Build } from "./build.ts";
import type { Owner } from "./owner.ts";
import type { Repository } from "./repository.ts";
import type { WantedStatus } from "./status.ts";
import type { UnixMs } from "./unix-ms.ts";

/** What was decided about one webhook delivery. */
export type Decision = "queued" | "skipped" | "ignored" | "refused" | "duplicate";

export type Delivery = {
  /** `<scm>:<X-GitHub-Delivery>`. */
  readonly key: string;
  readonly event: string;
  readonly receivedAt: UnixMs;
  readonly decision: Decision;
  readonly reason: string;
  /** Status the sender got. */
  readonly status: number;
  readonly ownerLogin?: string;
  readonly repository?: string;
  readonly ref?: string;
  readonly sha?: string;
  readonly buildId?: string;
};

export type AcceptPush = {
  readonly deliveryKey: string;
  readonly event: string;
  readonly owner: Omit<Owner, "slug">;
  readonly repository: Repository;
  readonly branch: string;
  readonly sha: string;
  /** The first thing the commit should show. */
  readonly status: WantedStatus;
};

export type Accepted = {
  readonly decision: "queued" | "duplicate" | "refused";
  readonly reason: string;
  readonly build?: Build;
  /** Older builds of the branch that this push ended. */
  readonly superseded: readonly string[];
};
