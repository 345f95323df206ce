import { z } from "zod";
import type { Database } from "./database.ts";
import { hashToken, newToken } from "./token.ts";

/** What the forge's App may do at most, and what a token may be narrowed to. */
export const APP_PERMISSIONS = {
  contents: "read",
  metadata: "read",
  statuses: "write",
  checks: "write",
} as const;
export type PermissionName = keyof typeof APP_PERMISSIONS;
export type Permissions = Readonly<Partial<Record<PermissionName, "read" | "write">>>;

export type InstallationToken = {
  readonly userId: number;
  /** All repositories of the owner when null. */
  readonly repositoryIds: readonly number[] | null;
  readonly permissions: Permissions;
  readonly expiresAt: number;
};

export type InstallationTokens = ReturnType<typeof createInstallationTokens>;

/** As on GitHub. */
const LIFE_MS = 60 * 60_000;

const level = z.enum(["read", "write"]).optional();
const Row = z.object({
  user_id: z.number(),
  repository_ids: z.string().nullable(),
  permissions: z.string(),
  expires_at: z.number(),
});
const Stored = z.object({ contents: level, metadata: level, statuses: level, checks: level });

export function createInstallationTokens({ sql }: Database, now: () => number) {
  const insert = sql.prepare(
    `INSERT INTO installation_tokens (hash, user_id, repository_ids, permissions, expires_at)
     VALUES (?, ?, ?, ?, ?)`,
  );
  const byHash = sql.prepare(
    "SELECT user_id, repository_ids, permissions, expires_at FROM installation_tokens WHERE hash = ? AND expires_at > ?",
  );
  const remove = sql.prepare("DELETE FROM installation_tokens WHERE hash = ?");
  const expire = sql.prepare("DELETE FROM installation_tokens WHERE expires_at <= ?");

  return { create, find, revoke };

  /** The token is given out this once. */
  function create(scope: Omit<InstallationToken, "expiresAt">): {
    token: string;
    expiresAt: number;
  } {
    expire.run(now());
    const token = newToken("ofi");
    const expiresAt = now() + LIFE_MS;
    const ids = scope.repositoryIds === null ? null : JSON.stringify(scope.repositoryIds);
    insert.run(hashToken(token), scope.userId, ids, JSON.stringify(scope.permissions), expiresAt);
    return { token, expiresAt };
  }

  function find(token: string): InstallationToken | undefined {
    const row = Row.optional().parse(byHash.get(hashToken(token), now()));
    if (row === undefined) return undefined;
    const stored = Stored.parse(JSON.parse(row.permissions));
    return {
      userId: row.user_id,
      repositoryIds:
        row.repository_ids === null
          ? null
          : z.array(z.number()).parse(JSON.parse(row.repository_ids)),
      permissions: Object.fromEntries(Object.entries(stored).filter(([, value]) => value)),
      expiresAt: row.expires_at,
    };
  }

  function revoke(token: string): void {
    remove.run(hashToken(token));
  }
}
