import type { Ledger } from "#ledger/types/ledger.ts";
import { describe } from "#sdk/errors.ts";
import type { GithubApps, InstallationClient } from "#sdk/github-app.ts";
import type { Log } from "#sdk/log.ts";

export type AskBackTools = {
  readonly scm: string;
  readonly apps: Pick<GithubApps, "asApp">;
  readonly ledger: Pick<Ledger, "findDelivery">;
  readonly now?: () => number;
};

/** One try at handing a delivery over, as the source lists them. */
type Attempt = {
  readonly id: number;
  readonly guid: string;
  readonly status: number;
  /** Unix milliseconds. */
  readonly at: number;
};

/** Times a delivery is asked for again after its first failure. */
const ASKED_AT_MOST = 3;
/** GitHub forgets deliveries after three days; a day covers any outage that is worth catching up on. */
const LOOK_BACK_MS = 24 * 3_600_000;
const PAGE_SIZE = 100;
const PAGES_LIMIT = 20;

/**
 * GitHub tries once. Ask for deliveries of the last day again that ended with 5xx or without an answer and
 * that the ledger does not know, each three times at most. Answers how many were asked for.
 */
export function createAskBack({ scm, apps, ledger, now = Date.now }: AskBackTools) {
  return async function askBack(log: Log): Promise<number> {
    const client = apps.asApp(scm);
    const missed = findMissed(await listAttempts(client, now() - LOOK_BACK_MS)).filter(
      ({ guid }) => ledger.findDelivery(`${scm}:${guid}`) === undefined,
    );
    let asked = 0;
    for (const { id, guid, status } of missed) {
      try {
        await client.request("POST /app/hook/deliveries/{delivery_id}/attempts", {
          delivery_id: id,
        });
        asked += 1;
        log.info("delivery-asked-back", { key: `${scm}:${guid}`, status });
      } catch (error) {
        log.warn("delivery-not-asked-back", { key: `${scm}:${guid}`, error: describe(error) });
      }
    }
    return asked;
  };
}

/** Newest first, back to `since`. */
async function listAttempts(client: InstallationClient, since: number): Promise<Attempt[]> {
  const attempts: Attempt[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < PAGES_LIMIT; page += 1) {
    const { data, headers } = await client.request("GET /app/hook/deliveries", {
      per_page: PAGE_SIZE,
      ...(cursor === undefined ? {} : { cursor }),
    });
    attempts.push(
      ...data.map(({ id, guid, status_code, delivered_at }) => ({
        id: Number(id),
        guid,
        status: status_code,
        at: Date.parse(delivered_at),
      })),
    );
    cursor = /[?&]cursor=([^&>]+)[^>]*>;\s*rel="next"/.exec(headers.link ?? "")?.[1];
    if (cursor === undefined || (attempts.at(-1)?.at ?? 0) < since) break;
  }
  return attempts.filter(({ at }) => at >= since);
}

/** The newest attempt of each delivery that never got through and may be asked for once more. */
function findMissed(attempts: readonly Attempt[]): Attempt[] {
  const missed: Attempt[] = [];
  for (const tries of Map.groupBy(attempts, ({ guid }) => guid).values()) {
    const [newest] = tries;
    const failed = tries.every(({ status }) => status === 0 || status >= 500);
    if (newest !== undefined && failed && tries.length <= ASKED_AT_MOST) missed.push(newest);
  }
  return missed;
}
