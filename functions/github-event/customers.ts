import { readFile } from "node:fs/promises";
import { describe, HttpError } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import type { Config } from "./config.ts";

/** How long a fetched list is trusted, in milliseconds (spec/pipeline.md section 7.2). */
const FRESH_MS = 5 * 60_000;
const FETCH_TIMEOUT_MS = 5_000;
const LIST_LIMIT_BYTES = 1024 * 1024;

export type Customers = {
  /** Why this login is not served, or `undefined` when it is; 503 while no list was ever read. */
  refuse(login: string, log: Log): Promise<string | undefined>;
};

type Tools = {
  readonly config: Config;
  readonly fetch?: typeof globalThis.fetch;
  readonly now?: () => number;
};

/** Who may deploy here: a file or a URL of logins, read again at most every five minutes. */
export function createCustomers({
  config,
  fetch = globalThis.fetch,
  now = Date.now,
}: Tools): Customers {
  const origin = config.customersPath || config.customersUrl;
  let list: ReadonlySet<string> | undefined;
  let readAt = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> | undefined;
  let warned = false;

  return {
    async refuse(login, log) {
      if (!config.validateCustomers) return undefined;
      if (origin === "") return refuseWithoutList(login, log);
      const known = await current(log);
      return known.has(login.toLowerCase())
        ? undefined
        : `"${login}" is not on the list of customers; ask the operator to add a line to it`;
    },
  };

  function refuseWithoutList(login: string, log: Log): string | undefined {
    if (config.appIsPublic)
      return login.toLowerCase() === config.appOwner.toLowerCase()
        ? undefined
        : `"${login}" does not own the public GitHub App; set customers_path or customers_url to serve others`;
    if (!warned)
      log.warn("customers-not-checked", {
        advice: "every verified owner is served; set customers_path or customers_url",
      });
    warned = true;
    return undefined;
  }

  async function current(log: Log): Promise<ReadonlySet<string>> {
    if (now() - readAt >= FRESH_MS) {
      reading ??= refresh(log).finally(() => {
        reading = undefined;
      });
      await reading;
    }
    if (list !== undefined) return list;
    throw new HttpError(
      503,
      "customers-unavailable",
      `The list of customers could not be read yet: ${origin}.`,
    );
  }

  /** A list that cannot be read leaves the old one in force; the next delivery tries again. */
  async function refresh(log: Log): Promise<void> {
    try {
      const text = config.customersPath
        ? await readFile(config.customersPath, "utf8")
        : await fetchList(config.customersUrl, fetch);
      list = parseCustomers(text);
      readAt = now();
    } catch (error) {
      log.error("customers-not-read", { origin, kept: list?.size, error: describe(error) });
    }
  }
}

/** Logins in lower case; blank lines and `#` comments are skipped, any other text throws. */
export function parseCustomers(text: string): ReadonlySet<string> {
  const lines = text.split("\n").map((line) => line.replace(/#.*/, "").trim().toLowerCase());
  const wrong = lines.findIndex((line) => !/^[\w.-]{0,100}$/.test(line));
  if (wrong >= 0) throw new Error(`line ${wrong + 1} of the list of customers is not a login`);
  return new Set(lines.filter((line) => line !== ""));
}

async function fetchList(url: string, fetch: typeof globalThis.fetch): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) });
  if (!response.ok) {
    await response.body?.cancel();
    throw new Error(`answered ${response.status}`);
  }
  const text = await response.text();
  if (text.length > LIST_LIMIT_BYTES)
    throw new Error(`the list holds more than ${LIST_LIMIT_BYTES} bytes`);
  return text;
}
