import { type DestinationStream, type Logger, pino } from "pino";

/** Facts of one log line, in snake_case; `undefined` is left out. Never a secret or a payload. */
type Facts = Readonly<Record<string, unknown>>;

export type Log = {
  /** `event` is kebab-case in the past tense: `build-queued`. */
  info(event: string, facts?: Facts): void;
  warn(event: string, facts?: Facts): void;
  error(event: string, facts?: Facts): void;
  /** A log whose every line carries these facts too. */
  with(facts: Facts): Log;
};

/** One JSON object a line, `{"level","time","event",…}`. `write` receives each line with its newline. */
export function createLog(write: (line: string) => void): Log {
  const stream: DestinationStream = { write };
  return wrap(
    pino(
      {
        base: null,
        messageKey: "event",
        timestamp: () => `,"time":"${new Date().toISOString()}"`,
        formatters: { level: (level) => ({ level }) },
      },
      stream,
    ),
  );
}

/** A log that goes nowhere, for tools and tests that have nothing to say. */
export const silentLog: Log = createLog(() => {});

/** Keys of every line, which a fact of the same name would repeat. */
const TAKEN: ReadonlySet<string> = new Set(["level", "time", "event"]);

/** Facts are merged here rather than by pino's children, which would repeat a key that both have. */
function wrap(logger: Logger, bound: Facts = {}): Log {
  const merge = (facts?: Facts) => ({ ...bound, ...rename(facts) });
  return {
    info: (event, facts) => logger.info(merge(facts), event),
    warn: (event, facts) => logger.warn(merge(facts), event),
    error: (event, facts) => logger.error(merge(facts), event),
    with: (facts) => wrap(logger, merge(facts)),
  };
}

/** `event` becomes `event_`. */
function rename(facts: Facts = {}): Facts {
  if (!Object.keys(facts).some((name) => TAKEN.has(name))) return facts;
  return Object.fromEntries(
    Object.entries(facts).map(([name, value]) => [TAKEN.has(name) ? `${name}_` : name, value]),
  );
}
