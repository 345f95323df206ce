/**
 * Aborts with the first of `signals`, or `ms` milliseconds from now as `AbortSignal.timeout` does. Node holds
 * what is inside an `AbortSignal.any` weakly: a timeout that nobody listens to for a moment, between two
 * steps of the work that it limits, may be collected and never comes (nodejs/node issue 57736).
 */
export function withDeadline(ms: number, ...signals: readonly AbortSignal[]): AbortSignal {
  const late = AbortSignal.timeout(ms);
  const signal = AbortSignal.any([...signals, late]);
  kept.set(signal, late);
  return signal;
}

/** A deadline lives as long as the signal that it is part of. */
const kept = new WeakMap<AbortSignal, AbortSignal>();
