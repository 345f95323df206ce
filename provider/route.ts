import type { Log } from "#sdk/log.ts";

/** What one route does; the request's path parameters are in `name`. */
export type Route = (call: Call) => Promise<Response> | Response;
export type Call = {
  readonly request: Request;
  readonly url: URL;
  /** The path's `:name`, or empty. */
  readonly name: string;
  readonly log: Log;
};
