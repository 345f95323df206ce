import type { OwnerId } from "./owner.ts";
import type { UnixMs } from "./unix-ms.ts";

export type Artifact = {
  readonly ownerId: OwnerId;
  readonly key: string;
  /** `sha256:<hex>`. */
  readonly digest: string;
  readonly image: string;
  readonly sizeBytes: number;
  readonly createdAt: UnixMs;
};
