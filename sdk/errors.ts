/** A failure that knows its HTTP status and tells the caller what to do about it. */
export class HttpError extends Error {
  override readonly name = "HttpError";
  /** 400-599. */
  readonly status: number;
  /** Stable kebab-case code for programs; the message is for people and may be reworded. */
  readonly code: string;

  constructor(status: number, code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
    this.code = code;
  }
}

/** The message of an error joined with the messages of its causes, outermost first. */
export function describe(error: unknown): string {
  return describeUnseen(error, new Set());
}

/** A chain of causes may lead back into itself. */
function describeUnseen(error: unknown, seen: Set<unknown>): string {
  if (!(error instanceof Error)) return String(error);
  seen.add(error);
  // Node connects to every address of a name at once, and fails with the failures of all.
  const parts = error instanceof AggregateError ? error.errors : [];
  const inner = parts.filter((part) => !seen.has(part)).map((part) => describeUnseen(part, seen));
  const text = error.message || error.name;
  const message = inner.length === 0 ? text : `${text} (${inner.join("; ")})`;
  if (error.cause === undefined || seen.has(error.cause)) return message;
  return `${message}: ${describeUnseen(error.cause, seen)}`;
}

/** The system error code of a failed call (`ENOENT`, `ECONNREFUSED` …), if it carries one. */
export function errorCode(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
}
