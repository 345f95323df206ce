import type { FunctionEndpoints } from "#provider/provider.ts";
import { describe } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import { FUNCTION_NAMESPACE } from "#sdk/names.ts";
import { Counters } from "./counters.ts";
import { Replica, type ReplicaLimits } from "./replica.ts";

/** A function's endpoints, with its owner's slug when the provider says it. */
export type KnownEndpoints = FunctionEndpoints & { readonly owner?: string };

/** What the gateway knows of one function; lives on across changes of its endpoints. */
export type FunctionEntry = {
  readonly name: string;
  readonly namespace: string;
  owner: string | undefined;
  /** Those that take new requests. */
  replicas: readonly Replica[];
  wanted: number;
  /** Set for what sleeps while nobody calls it, after so many milliseconds. */
  idleMs: number | undefined;
  readonly counters: Counters;
  /** Called, and forgotten, at the next change. */
  readonly waiters: Set<() => void>;
};

/** Every function's ready replicas, as the provider last told. */
export class EndpointTable {
  readonly #limits: ReplicaLimits;
  readonly #log: Log;
  /** By `name.namespace`, and by bare name in the users' namespace. */
  readonly #entries = new Map<string, FunctionEntry>();

  constructor(limits: ReplicaLimits, log: Log) {
    this.#limits = limits;
    this.#log = log;
  }

  /** `name` (of a user's function) or `name.namespace`. */
  find(service: string): FunctionEntry | undefined {
    return this.#entries.get(service);
  }

  /** Invocations of all functions that are known now, since each was first heard of. */
  countStarted(): number {
    let sum = 0;
    for (const { counters } of new Set(this.#entries.values())) sum += counters.started;
    return sum;
  }

  /** Whether the provider was heard once; until then a function that is not found may well exist. */
  isLoaded = false;

  /** The whole truth: what is not listed is gone. */
  replace(all: readonly KnownEndpoints[]): void {
    this.isLoaded = true;
    const listed = new Set(all.map(keyOf));
    for (const entry of new Set(this.#entries.values())) {
      if (!listed.has(keyOf(entry))) this.remove(entry);
    }
    for (const one of all) this.change(one);
  }

  /** One function's whole set. */
  change(known: KnownEndpoints): FunctionEntry {
    const entry = this.#entries.get(keyOf(known)) ?? this.#add(known);
    const before = entry.replicas;
    entry.replicas = this.#reuse(before, known.endpoints);
    entry.wanted = known.replicas;
    entry.owner = known.owner;
    entry.idleMs = known.idleMs;
    for (const replica of before) {
      if (!entry.replicas.includes(replica)) this.#retire(replica);
    }
    wake(entry);
    return entry;
  }

  /** The function is no more; requests that wait for it are woken to find out. */
  remove(entry: FunctionEntry): void {
    this.#entries.delete(keyOf(entry));
    if (entry.namespace === FUNCTION_NAMESPACE) this.#entries.delete(entry.name);
    for (const replica of entry.replicas) this.#retire(replica);
    entry.replicas = [];
    entry.wanted = 0;
    entry.idleMs = undefined;
    wake(entry);
  }

  all(): readonly FunctionEntry[] {
    return [...new Set(this.#entries.values())];
  }

  #add({ name, namespace }: KnownEndpoints): FunctionEntry {
    const entry: FunctionEntry = {
      name,
      namespace,
      owner: undefined,
      replicas: [],
      wanted: 0,
      idleMs: undefined,
      counters: new Counters(),
      waiters: new Set(),
    };
    this.#entries.set(keyOf(entry), entry);
    if (namespace === FUNCTION_NAMESPACE) this.#entries.set(name, entry);
    return entry;
  }

  #reuse(before: readonly Replica[], endpoints: readonly string[]): Replica[] {
    const replicas: Replica[] = [];
    for (const endpoint of new Set(endpoints)) {
      const known = before.find((replica) => replica.endpoint === endpoint);
      try {
        replicas.push(known ?? new Replica(endpoint, this.#limits));
      } catch (error) {
        this.#log.error("endpoint-refused", { endpoint, error: describe(error) });
      }
    }
    return replicas;
  }

  #retire(replica: Replica): void {
    replica.retire().catch((error: unknown) => {
      this.#log.warn("replica-close-failed", {
        endpoint: replica.endpoint,
        error: describe(error),
      });
    });
  }
}

function keyOf({ name, namespace }: { readonly name: string; readonly namespace: string }): string {
  return `${name}.${namespace}`;
}

function wake(entry: FunctionEntry): void {
  const waiters = [...entry.waiters];
  entry.waiters.clear();
  for (const waiter of waiters) waiter();
}
