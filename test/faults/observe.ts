import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import type { SeenBuild, SeenRecord, SeenRelease, SeenStatus } from "./observed.ts";

/** 0 or 1. */
const FLAG = z.number().transform((flag) => flag === 1);
const BUILDS = z.array(
  z.object({
    id: z.string(),
    repository: z.string(),
    branch: z.string(),
    sha: z.string(),
    generation: z.number(),
    state: z.string(),
    reason: z.string(),
    gaveWay: FLAG,
  }),
);
const RELEASES = z.array(
  z.object({
    service: z.string(),
    buildId: z.string(),
    id: z.string(),
    fence: z.number(),
    state: z.string(),
    sha: z.string(),
    isRollback: FLAG,
  }),
);
const STATUSES = z.array(
  z.object({
    repository: z.string(),
    sha: z.string(),
    context: z.string(),
    state: z.string(),
    description: z.string(),
  }),
);
const SHOWN = z.object({
  statuses: z.array(
    z.object({ context: z.string(), state: z.string(), description: z.string().nullable() }),
  ),
});
const RECORD = z.object({
  name: z.string(),
  current: z
    .object({ release: z.string(), fence: z.number(), switchedBack: z.unknown().optional() })
    .optional(),
  next: z.object({ failed: z.string().optional() }).optional(),
});
const DIGESTS = z.array(z.object({ digest: z.string() }));
const COUNT = z.object({ count: z.number() });
/** `forge:alice/shop` of a row that has the repository as `r`. */
const NAME = "substr(r.id, 1, instr(r.id, ':')) || r.full_name";

/** Read what the ledger holds, from the outside, while the platform runs or not. */
export function readLedger(dataFolder: string): {
  readonly builds: SeenBuild[];
  readonly releases: SeenRelease[];
  readonly wanted: ReadonlyMap<string, readonly SeenStatus[]>;
} {
  return withFile(join(dataFolder, "ledger.db"), (file) => ({
    builds: BUILDS.parse(
      file
        .prepare(
          `SELECT b.id, ${NAME} AS repository, branch, sha, generation, state, reason,
             EXISTS (SELECT 1 FROM events e WHERE e.build_id = b.id
               AND json_extract(event, '$.step') = 'failed'
               AND (json_extract(event, '$.reason') LIKE '% serves % again %'
                 OR json_extract(event, '$.reason') LIKE '% is in a crash loop: %')) AS gaveWay
           FROM builds b JOIN repositories r ON r.id = b.repository_id ORDER BY b.sequence`,
        )
        .all(),
    ),
    releases: RELEASES.parse(
      file
        .prepare(
          `SELECT service, build_id AS buildId, id, fence, state, instead_of IS NOT NULL AS isRollback,
             json_extract(deployment, '$.labels."com.openfaas.cloud.git-sha"') AS sha
           FROM releases ORDER BY service, fence`,
        )
        .all(),
    ),
    wanted: Map.groupBy(
      STATUSES.parse(
        file
          .prepare(
            `SELECT ${NAME} AS repository, sha, context, state, description
             FROM statuses s JOIN repositories r ON r.id = s.repository_id`,
          )
          .all(),
      ),
      ({ repository, sha }) => `${repository} ${sha}`,
    ),
  }));
}

/** `sha256:…` of what was built. */
export function readDigests(dataFolder: string): string[] {
  return withFile(join(dataFolder, "ledger.db"), (file) =>
    DIGESTS.parse(file.prepare("SELECT digest FROM artifacts").all()).map(({ digest }) => digest),
  );
}

/** What is still under way; empty when the platform is quiet. */
export function listUnfinished(dataFolder: string, githubFolder: string): string[] {
  const count = (path: string, sql: string) =>
    withFile(path, (file) => COUNT.parse(file.prepare(sql).get()).count);
  const ledger = join(dataFolder, "ledger.db");
  const waiting = {
    builds: count(ledger, "SELECT count(*) AS count FROM builds WHERE ended_at IS NULL"),
    statuses: count(ledger, "SELECT count(*) AS count FROM statuses WHERE sent_version < version"),
    "roll-backs": count(
      ledger,
      `SELECT count(*) AS count FROM releases r JOIN fences f USING (service)
       WHERE r.state = 'declared' AND r.instead_of IS NOT NULL AND r.fence = f.value`,
    ),
    webhooks: count(
      join(dataFolder, "git/forge.db"),
      "SELECT count(*) AS count FROM deliveries WHERE state = 'pending'",
    ),
    "GitHub's webhooks": count(
      join(githubFolder, "git/forge.db"),
      "SELECT count(*) AS count FROM deliveries WHERE state = 'pending'",
    ),
  };
  return Object.entries(waiting)
    .filter(([, left]) => left > 0)
    .map(([what, left]) => `${left} ${what}`);
}

/** What platforms logged of gateways that ended without a kill. */
export async function listGatewayCrashes(folder: string): Promise<string[]> {
  const log = await readFile(join(folder, "platform.log"), "utf8");
  return log
    .split("\n")
    .filter((line) => line.includes('"event":"gateway-died"') && !line.includes('"code":null'))
    .map((line) => `a gateway ended by itself: ${line}`);
}

/** What the engine has recorded of each function. */
export async function readRecords(dataFolder: string): Promise<SeenRecord[]> {
  const folder = join(dataFolder, "engine/functions");
  const names = (await readdir(folder)).filter((name) => name.endsWith(".json"));
  return Promise.all(
    names.map(async (name) => {
      const record = RECORD.parse(JSON.parse(await readFile(join(folder, name), "utf8")));
      return {
        service: record.name,
        fence: record.current?.fence ?? 0,
        release: record.current?.release ?? "",
        pending: record.next !== undefined && record.next.failed === undefined,
        switchedBack: record.current?.switchedBack !== undefined,
      };
    }),
  );
}

/** What a commit shows at its source; the newest of each context. */
export async function readShown(
  apiUrl: string,
  fullName: string,
  sha: string,
  token: string,
): Promise<SeenStatus[]> {
  const response = await fetch(new URL(`repos/${fullName}/commits/${sha}/status`, apiUrl), {
    headers: { authorization: `token ${token}` },
  });
  if (response.status === 404 || response.status === 422) return [];
  const { statuses } = SHOWN.parse(await response.json());
  return statuses.map((status) => ({ ...status, description: status.description ?? "" }));
}

/** What a function answers now, or the status of what it does not. */
export async function readAnswer(url: string, service: string): Promise<string> {
  const response = await fetch(new URL(`function/${service}`, url), {
    signal: AbortSignal.timeout(5_000),
  });
  const text = (await response.text()).trim();
  return response.ok ? text : `${response.status} ${text}`;
}

function withFile<T>(path: string, read: (file: DatabaseSync) => T): T {
  const file = new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
  try {
    return read(file);
  } finally {
    file.close();
  }
}
