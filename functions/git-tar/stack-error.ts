import { HttpError } from "#sdk/errors.ts";

/** A stack file, or what it points to, that breaks a rule. The message is made for a commit's status. */
export class StackError extends HttpError {
  constructor(message: string, options?: ErrorOptions) {
    super(400, "bad-stack", message, options);
  }
}

/** Throw `functions.cart.handler is "../x"; it must be a folder inside the repository`. */
export function refuse(field: string, value: string, rule: string): never {
  throw new StackError(`${field} is ${quote(value)}; ${rule}`);
}

/** A value between quotes, escaped, at most 60 characters of it. */
export function quote(value: string): string {
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
}
