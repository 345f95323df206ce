import { type DestinationStream, type Logger, pino } from "pino";

/** Facts of one log line, in snake_case; `undefined` is left out. Never a secret or a payload. */
export type Facts = Readonly<Record<string, unknown>>;

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

/** Facts are merged here rather than by pino's children, which would repeat a key that both have. */
function wrap(logger: Logger, bound: Facts = {}): Log {
  return {
    info: (event, facts) => logger.info({ ...bound, ...facts }, event),
    warn: (event, facts) => logger.warn({ ...bound, ...facts }, event),
    error: (event, facts) => logger.error({ ...bound, ...facts }, event),
    with: (facts) => wrap(logger, { ...bound, ...facts }),
  };
}
