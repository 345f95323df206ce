import type { Ledger } from "#ledger/types/ledger.ts";
import type { GatewayClient } from "#sdk/gateway-client.ts";
import type { PayloadKey } from "#sdk/internal-signature.ts";

/** Everything the handler may touch outside itself. */
export type Tools = {
  readonly ledger: Ledger;
  readonly gateway: GatewayClient;
  /** `POST <builderUrl>build`, with a trailing slash; reached by `fetch`, which may know Unix sockets. */
  readonly builderUrl: string;
  readonly fetch: typeof globalThis.fetch;
  readonly key: PayloadKey;
  /** Unix milliseconds, for the deploy time label. */
  readonly now: () => number;
};
