/** What a committed transaction changed. */
type Changes = {
  /** Ids. */
  readonly builds: ReadonlySet<string>;
  /** Functions whose releases, or what those need, are others now. */
  readonly services: ReadonlySet<string>;
};

export type Watchers = {
  /** Returns the unsubscriber. */
  watch(buildId: string, changed: () => void): () => void;
  /** Returns the unsubscriber. */
  watchReleases(changed: (service: string) => void): () => void;
  notify(changes: Changes): void;
};

/** Who in this process wants to hear about which build, and about releases. */
export function createWatchers(): Watchers {
  const builds = new Map<string, Set<() => void>>();
  const releases = new Set<(service: string) => void>();
  return {
    watch,
    watchReleases(changed) {
      const listener = (service: string) => changed(service);
      releases.add(listener);
      return () => releases.delete(listener);
    },
    notify,
  };

  function watch(buildId: string, changed: () => void): () => void {
    // A function of its own, so that the same callback may watch twice.
    const listener = () => changed();
    const listeners = builds.get(buildId) ?? new Set();
    builds.set(buildId, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && builds.get(buildId) === listeners) builds.delete(buildId);
    };
  }

  /** Later, so that a listener that throws cannot make a committed write look failed. */
  function notify(changes: Changes): void {
    for (const buildId of changes.builds)
      for (const listener of builds.get(buildId) ?? [])
        queueMicrotask(() => {
          if (builds.get(buildId)?.has(listener)) listener();
        });
    for (const service of changes.services)
      for (const listener of releases)
        queueMicrotask(() => {
          if (releases.has(listener)) listener(service);
        });
  }
}
