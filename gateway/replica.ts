import type { Endpoint } from "#provider/provider.ts";
import { parseAddress } from "./address.ts";
import { Pool } from "./pool.ts";

/** How long a replica that refused a connection is asked last. */
const SUSPECT_MS = 1_000;
/** Ranks a suspect behind any replica that takes connections. */
const SUSPECT_LOAD = 1_000_000;

export type ReplicaLimits = {
  readonly upstreamTimeoutMs: number;
  readonly maxConnectionsPerReplica: number;
};

/** One running copy of a function and the connections to it. */
export class Replica {
  readonly endpoint: Endpoint;
  readonly pool: Pool;
  inFlight = 0;
  #suspectUntil = 0;

  /** Throws when the endpoint is not `unix:/path` or `http://host:port`. */
  constructor(endpoint: Endpoint, limits: ReplicaLimits) {
    const address = parseAddress(endpoint);
    if (address === undefined)
      throw new Error(`Endpoint ${endpoint} is neither unix:/ nor http://`);
    this.endpoint = endpoint;
    this.pool = new Pool(address.origin, {
      ...(address.socketPath === undefined ? {} : { socketPath: address.socketPath }),
      connections: limits.maxConnectionsPerReplica,
      pipelining: 1,
      // Unless the replica says how long it keeps an idle connection; some servers hang up after two seconds.
      keepAliveTimeout: 1_000,
      headersTimeout: limits.upstreamTimeoutMs,
      bodyTimeout: limits.upstreamTimeoutMs,
      connectTimeout: 2_000,
    });
  }

  load(): number {
    return performance.now() < this.#suspectUntil ? SUSPECT_LOAD + this.inFlight : this.inFlight;
  }

  /** Ask it last for a moment; false when it was suspect already. */
  suspect(): boolean {
    const now = performance.now();
    const isNew = now >= this.#suspectUntil;
    this.#suspectUntil = now + SUSPECT_MS;
    return isNew;
  }

  /** Take nothing new; requests in flight finish, then the connections close. */
  async retire(): Promise<void> {
    await this.pool.close();
  }
}

/** The less loaded of two random replicas that were not tried yet. */
export function pickReplica(
  replicas: readonly Replica[],
  tried: ReadonlySet<Replica> | undefined,
): Replica | undefined {
  const open = tried === undefined ? replicas : replicas.filter((replica) => !tried.has(replica));
  if (open.length < 2) return open[0];
  const first = Math.floor(Math.random() * open.length);
  const second = (first + 1 + Math.floor(Math.random() * (open.length - 1))) % open.length;
  const [a, b] = [open[first], open[second]];
  return a !== undefined && b !== undefined && b.load() < a.load() ? b : a;
}
