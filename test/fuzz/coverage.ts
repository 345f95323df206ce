import { type Profiler, Session } from "node:inspector";

/** Which characters of which functions have run, told by V8's precise block coverage. */
export type Coverage = {
  /** Whether something ran since the last call that never ran before; it counts as known from now on. */
  hasGrown(): boolean;
  /** The same question without remembering. */
  wouldGrow(): boolean;
};

/** Counts code that is loaded from now on: import what is to be measured afterwards. */
export function startCoverage(isCounted: (url: string) => boolean): Coverage {
  const session = new Session();
  session.connect();
  const post = (method: string, params?: object) => {
    session.post(method, params, (error) => {
      if (error) throw new Error(`V8's coverage failed: ${JSON.stringify(error)}`);
    });
  };
  post("Profiler.enable");
  post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  /** One byte for each character of a function, by script and place. */
  const known = new Map<string, Uint8Array>();

  return { hasGrown: () => grow(true), wouldGrow: () => grow(false) };

  function grow(remember: boolean): boolean {
    let grown = false;
    for (const { url, functions } of take())
      for (const one of functions)
        if (isCounted(url) && growFunction(url, one.ranges, remember)) grown = true;
    return grown;
  }

  function growFunction(
    url: string,
    ranges: readonly Profiler.CoverageRange[],
    remember: boolean,
  ): boolean {
    const [whole, ...blocks] = ranges;
    if (whole === undefined || whole.count === 0) return false;
    const key = `${url} ${whole.startOffset} ${whole.endOffset}`;
    const length = whole.endOffset - whole.startOffset;
    const before = known.get(key) ?? new Uint8Array(length);
    const ran = new Uint8Array(length).fill(1);
    // Outer blocks come before those inside them.
    for (const { startOffset, endOffset, count } of blocks)
      ran.fill(count > 0 ? 1 : 0, startOffset - whole.startOffset, endOffset - whole.startOffset);
    let grown = !known.has(key);
    for (let at = 0; at < length; at += 1) {
      if (ran[at] === 0 || before[at] === 1) continue;
      grown = true;
      ran[at] = 1;
      if (remember) before[at] = 1;
    }
    if (remember) known.set(key, before);
    return grown;
  }

  /** The inspector answers a call of its own thread before `post` returns. */
  function take(): readonly Profiler.ScriptCoverage[] {
    let result: readonly Profiler.ScriptCoverage[] = [];
    session.post("Profiler.takePreciseCoverage", (error, answer) => {
      if (error) throw new Error(`V8's coverage failed: ${JSON.stringify(error)}`);
      result = answer.result;
    });
    return result;
  }
}
