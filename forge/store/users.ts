import { z } from "zod";
import { HttpError } from "#sdk/errors.ts";
import { refuseSlug, toSlug } from "#sdk/names.ts";
import type { Database } from "./database.ts";
import { hashToken, newToken } from "./token.ts";

/** An owner of repositories; `id` is what rights compare and is never given out twice. */
export type User = { readonly id: number; readonly login: string; readonly createdAt: number };

export type TokenInfo = {
  readonly id: number;
  readonly name: string;
  readonly createdAt: number;
  /** To the minute. */
  readonly usedAt: number | null;
  readonly revokedAt: number | null;
};

/** The token is shown this once; only its SHA-256 is kept. */
export type NewToken = { readonly user: User; readonly id: number; readonly token: string };

export type Users = ReturnType<typeof createUsers>;

const UserRow = z
  .object({ id: z.number(), login: z.string(), created_at: z.number() })
  .transform((row): User => ({ id: row.id, login: row.login, createdAt: row.created_at }));
const TokenRow = z
  .object({
    id: z.number(),
    name: z.string(),
    created_at: z.number(),
    used_at: z.number().nullable(),
    revoked_at: z.number().nullable(),
  })
  .transform(
    (row): TokenInfo => ({
      id: row.id,
      name: row.name,
      createdAt: row.created_at,
      usedAt: row.used_at,
      revokedAt: row.revoked_at,
    }),
  );
const TOKEN_COLUMNS = "id, name, created_at, used_at, revoked_at";
/** How stale `used_at` may be: a durable write for every request would cost more than it tells. */
const USED_STEP_MS = 60_000;

export function createUsers({ sql, transact }: Database, now: () => number) {
  const byLogin = sql.prepare("SELECT id, login, created_at FROM users WHERE login = ?");
  const byId = sql.prepare("SELECT id, login, created_at FROM users WHERE id = ?");
  const all = sql.prepare("SELECT id, login, created_at FROM users ORDER BY id");
  const insertUser = sql.prepare("INSERT INTO users (login, created_at) VALUES (?, ?)");
  const insertToken = sql.prepare(
    "INSERT INTO tokens (user_id, name, hash, created_at) VALUES (?, ?, ?, ?)",
  );
  const byHash = sql.prepare(
    "SELECT id, user_id, used_at FROM tokens WHERE hash = ? AND revoked_at IS NULL",
  );
  const touch = sql.prepare("UPDATE tokens SET used_at = ? WHERE id = ?");
  const tokensOf = sql.prepare(`SELECT ${TOKEN_COLUMNS} FROM tokens WHERE user_id = ? ORDER BY id`);
  const revoke = sql.prepare(
    "UPDATE tokens SET revoked_at = ? WHERE id = ? AND user_id = ? AND revoked_at IS NULL",
  );
  const TokenHit = z.object({
    id: z.number(),
    user_id: z.number(),
    used_at: z.number().nullable(),
  });

  return {
    findUser,
    findUserById,
    listUsers,
    createToken,
    findUserByToken,
    listTokens,
    revokeToken,
    rotateToken,
  };

  function findUser(login: string): User | undefined {
    return UserRow.optional().parse(byLogin.get(login));
  }

  function findUserById(id: number): User | undefined {
    return UserRow.optional().parse(byId.get(id));
  }

  function listUsers(): User[] {
    return all.all().map((row) => UserRow.parse(row));
  }

  /** A further token for an owner, who is made by the first. */
  function createToken(login: string, name = "token"): NewToken {
    return transact(() => {
      const user = findUser(login) ?? addUser(login);
      return { user, ...addToken(user, name) };
    });
  }

  function addUser(login: string): User {
    const refusal = refuseSlug(toSlug(login));
    if (refusal !== undefined)
      throw new HttpError(400, "bad-owner", `${refusal}; choose another name, such as "alice".`);
    const { lastInsertRowid } = insertUser.run(login, now());
    return { id: Number(lastInsertRowid), login, createdAt: now() };
  }

  function addToken(user: User, name: string): { id: number; token: string } {
    const token = newToken("ofc");
    const { lastInsertRowid } = insertToken.run(user.id, name, hashToken(token), now());
    return { id: Number(lastInsertRowid), token };
  }

  function findUserByToken(token: string): User | undefined {
    const hit = TokenHit.optional().parse(byHash.get(hashToken(token)));
    if (hit === undefined) return undefined;
    if (now() - (hit.used_at ?? 0) > USED_STEP_MS) touch.run(now(), hit.id);
    return findUserById(hit.user_id);
  }

  function listTokens(login: string): TokenInfo[] {
    return tokensOf.all(requireUser(login).id).map((row) => TokenRow.parse(row));
  }

  /** False when the owner has no such token in force. */
  function revokeToken(login: string, id: number): boolean {
    return revoke.run(now(), id, requireUser(login).id).changes > 0;
  }

  /** A new token with the old one's name; the old one stops working in the same transaction. */
  function rotateToken(login: string, id: number): NewToken {
    const user = requireUser(login);
    return transact(() => {
      const old = listTokens(login).find((token) => token.id === id);
      if (old === undefined || !revokeToken(login, id))
        throw new HttpError(
          404,
          "no-token",
          `${login} has no token ${id} in force; list them first.`,
        );
      return { user, ...addToken(user, old.name) };
    });
  }

  function requireUser(login: string): User {
    const user = findUser(login);
    if (user === undefined)
      throw new HttpError(
        404,
        "no-owner",
        `There is no owner "${login}"; make one with ./ofc token.`,
      );
    return user;
  }
}
