import { isDeepStrictEqual } from "node:util";
import type { FunctionEndpoints } from "./provider.ts";

/** The endpoint sets last told, and who wants to know of changes. */
export type EndpointBoard = {
  /** Tell the watchers, unless nothing changed. */
  publish(change: FunctionEndpoints): void;
  watch(changed: (change: FunctionEndpoints) => void): () => void;
};

export function createEndpointBoard(): EndpointBoard {
  const told = new Map<string, FunctionEndpoints>();
  const watchers = new Set<(change: FunctionEndpoints) => void>();

  return {
    publish(change) {
      if (isDeepStrictEqual(told.get(change.name), change)) return;
      told.set(change.name, change);
      for (const changed of watchers) changed(change);
    },
    watch(changed) {
      watchers.add(changed);
      return () => watchers.delete(changed);
    },
  };
}
