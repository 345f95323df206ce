import { createRequire } from "node:module";
import type { Dispatcher, Pool as UndiciPool } from "undici";

/**
 * Undici's pool by its own file: its index loads fetch, caches, mocks and the copy of undici inside Node too,
 * which together take a third of an idle gateway's memory.
 */
const load = createRequire(import.meta.url);

export type Pool = UndiciPool;
export const Pool: typeof UndiciPool = load("undici/lib/dispatcher/pool.js");

type Request = (this: Pool, options: Dispatcher.RequestOptions) => Promise<Dispatcher.ResponseData>;
const request: Request = load("undici/lib/api/api-request.js");

/** Send one request of the gateway's own and hand over the answer, its body unread. */
export function ask(
  pool: Pool,
  options: Dispatcher.RequestOptions,
): Promise<Dispatcher.ResponseData> {
  return request.call(pool, options);
}
