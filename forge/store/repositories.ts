import { z } from "zod";
import { HttpError } from "#sdk/errors.ts";
import type { Database } from "./database.ts";
import type { User } from "./users.ts";

export type Repository = {
  readonly id: number;
  readonly owner: User;
  readonly name: string;
  /** `main` until the first push says otherwise. */
  readonly defaultBranch: string;
  /** False until the first branch was pushed. */
  readonly hasDefaultBranch: boolean;
  readonly private: boolean;
  readonly createdAt: number;
  readonly pushedAt: number;
};

export type Repositories = ReturnType<typeof createRepositories>;

const Row = z
  .object({
    id: z.number(),
    name: z.string(),
    default_branch: z.string().nullable(),
    private: z.number(),
    created_at: z.number(),
    pushed_at: z.number(),
    user_id: z.number(),
    login: z.string(),
    user_created_at: z.number(),
  })
  .transform(
    (row): Repository => ({
      id: row.id,
      owner: { id: row.user_id, login: row.login, createdAt: row.user_created_at },
      name: row.name,
      defaultBranch: row.default_branch ?? "main",
      hasDefaultBranch: row.default_branch !== null,
      private: row.private !== 0,
      createdAt: row.created_at,
      pushedAt: row.pushed_at,
    }),
  );
const SELECT = `SELECT r.id, r.name, r.default_branch, r.private, r.created_at, r.pushed_at,
  u.id AS user_id, u.login, u.created_at AS user_created_at
  FROM repositories r JOIN users u ON u.id = r.user_id`;

export function createRepositories({ sql, transact }: Database, now: () => number) {
  const byName = sql.prepare(`${SELECT} WHERE r.user_id = ? AND r.name = ?`);
  const byId = sql.prepare(`${SELECT} WHERE r.id = ?`);
  const ofUser = sql.prepare(`${SELECT} WHERE r.user_id = ? ORDER BY r.id`);
  const all = sql.prepare(`${SELECT} ORDER BY r.id`);
  const insert = sql.prepare(
    "INSERT INTO repositories (user_id, name, private, created_at, pushed_at) VALUES (?, ?, 1, ?, ?)",
  );
  const setBranch = sql.prepare("UPDATE repositories SET default_branch = ? WHERE id = ?");

  return { find, findById, list, listAll, ensure, setDefaultBranch };

  function find(user: User, name: string): Repository | undefined {
    return Row.optional().parse(byName.get(user.id, name));
  }

  function findById(id: number): Repository | undefined {
    return Row.optional().parse(byId.get(id));
  }

  function list(userId: number): Repository[] {
    return ofUser.all(userId).map((row) => Row.parse(row));
  }

  function listAll(): Repository[] {
    return all.all().map((row) => Row.parse(row));
  }

  /** Find or make; two first pushes at once make one. 403 when the owner has `limit` already. */
  function ensure(user: User, name: string, limit: number): Repository {
    return transact(() => {
      const found = find(user, name);
      if (found !== undefined) return found;
      refuseTooMany(user, limit);
      const { lastInsertRowid } = insert.run(user.id, name, now(), now());
      const made = findById(Number(lastInsertRowid));
      if (made === undefined) throw new Error(`Repository ${name} vanished while it was made.`);
      return made;
    });
  }

  function refuseTooMany(user: User, limit: number): void {
    if (list(user.id).length < limit) return;
    throw new HttpError(
      403,
      "too-many-repositories",
      `${user.login} has ${limit} repositories, which is the limit; ask the operator to raise forge_max_repositories.`,
    );
  }

  function setDefaultBranch(id: number, branch: string): void {
    setBranch.run(branch, id);
  }
}
