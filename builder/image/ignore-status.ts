/** For `catch`: answers of Docker with one of these statuses are `undefined`, everything else is thrown on. */
export function ignoreStatus(...statuses: readonly number[]): (error: unknown) => undefined {
  return (error) => {
    const status = statusOf(error);
    if (status === undefined || !statuses.includes(status)) throw error;
    return undefined;
  };
}

/** Of Docker's answer; `undefined` where none came. */
export function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("statusCode" in error)) return undefined;
  return typeof error.statusCode === "number" ? error.statusCode : undefined;
}
