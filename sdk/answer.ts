import { describe, HttpError } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";

/** What a room implements: one request in, one response out, or a throw. */
export type Handler = (request: Request, log: Log) => Promise<Response>;

/** Give each request its own bound log, and turn anything thrown into one logged JSON answer. */
export function answerRequests(handle: Handler, log: Log): (request: Request) => Promise<Response> {
  return async (request) => {
    const requestLog = log.with({
      delivery: request.headers.get("x-github-delivery") ?? undefined,
      call_id: request.headers.get("x-call-id") ?? undefined,
    });

    try {
      return await handle(request, requestLog);
    } catch (error) {
      const { status, code, message } =
        error instanceof HttpError
          ? error
          : {
              status: 500,
              code: "internal",
              message: "Unexpected failure; see the platform's log.",
            };
      const facts = { status, code, path: new URL(request.url).pathname, error: describe(error) };
      if (status >= 500) requestLog.error("request-failed", facts);
      else requestLog.info("request-refused", facts);
      return Response.json({ code, message }, { status });
    }
  };
}
