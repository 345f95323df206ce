import type { Handler } from "#sdk/answer.ts";
import { checkMessage } from "#sdk/check-message.ts";
import { HttpError } from "#sdk/errors.ts";

export type HostedFunctions = Readonly<Record<string, Handler>>;

/**
 * The pipeline's functions in one process: `/<name>…` goes to the handler of that name. The gateway has
 * verified the internal signature; a body that was signed by its digest is checked against it here.
 */
export function hostFunctions(functions: HostedFunctions): Handler {
  return async (request, log) => {
    const name = new URL(request.url).pathname.split("/")[1] ?? "";
    const handler = Object.hasOwn(functions, name) ? functions[name] : undefined;
    if (handler === undefined)
      throw new HttpError(404, "no-such-function", `The platform has no function "${name}".`);
    // The webhook comes from outside, as it comes.
    if (name !== "github-event") await checkMessage(request);
    return handler(request, log.with({ function: name }));
  };
}
