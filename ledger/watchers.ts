export type Watchers = {
  /** Returns the unsubscriber. */
  watch(buildId: string, changed: () => void): () => void;
  notify(buildIds: ReadonlySet<string>): void;
};

/** Who in this process wants to hear about which build. */
export function createWatchers(): Watchers {
  const watching = new Map<string, Set<() => void>>();
  return { watch, notify };

  function watch(buildId: string, changed: () => void): () => void {
    // A function of its own, so that the same callback may watch twice.
    const listener = () => changed();
    const listeners = watching.get(buildId) ?? new Set();
    watching.set(buildId, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && watching.get(buildId) === listeners) watching.delete(buildId);
    };
  }

  function notify(buildIds: ReadonlySet<string>): void {
    for (const buildId of buildIds) {
      for (const listener of watching.get(buildId) ?? []) {
        // Later, so that a listener that throws cannot make a committed write look failed.
        queueMicrotask(() => {
          if (watching.get(buildId)?.has(listener)) listener();
        });
      }
    }
  }
}
