import type { Database } from "./database.ts";
import { optionalInteger, optionalText, text } from "./row.ts";
import type { OwnerId } from "./types/owner.ts";
import type { RepositoryId } from "./types/repository.ts";
import type { UnixMs } from "./types/unix-ms.ts";

/** How long a removed name is kept for the owner who had it. */
const NAME_HELD_MS = 30 * 24 * 60 * 60 * 1000;

type NameKind = "slug" | "function";
export type Name = { readonly kind: NameKind; readonly name: string };
export type Holder = { readonly ownerId: OwnerId; readonly repositoryId?: RepositoryId };
type NameClaim = Holder & { readonly freedAt?: UnixMs };

/** Take the name, or take it back after removal. False when it is somebody else's. */
export function takeName(db: Database, { kind, name }: Name, holder: Holder): boolean {
  const claim = findClaim(db, { kind, name });
  if (claim !== undefined && !mayTake(claim, holder, db.now())) return false;
  db.run(
    `INSERT INTO name_claims (kind, name, owner_id, repository_id, claimed_at)
     VALUES ($kind, $name, $ownerId, $repositoryId, $now)
     ON CONFLICT (kind, name) DO UPDATE SET owner_id = $ownerId, repository_id = $repositoryId,
       claimed_at = iif(freed_at IS NULL, claimed_at, $now), freed_at = NULL`,
    {
      kind,
      name,
      ownerId: holder.ownerId,
      repositoryId: holder.repositoryId ?? null,
      now: db.now(),
    },
  );
  return true;
}

/** Start the 30 days in which only the same owner may take the name again. */
export function freeName(db: Database, { kind, name }: Name): void {
  db.run(
    `UPDATE name_claims SET freed_at = $now
     WHERE kind = $kind AND name = $name AND freed_at IS NULL`,
    { kind, name, now: db.now() },
  );
}

/** Who holds the name now; nobody once it was removed. */
export function findHolder(db: Database, name: Name): Holder | undefined {
  const claim = findClaim(db, name);
  return claim?.freedAt === undefined ? claim : undefined;
}

function mayTake(claim: NameClaim, taker: Holder, now: UnixMs): boolean {
  const sameOwner = claim.ownerId === taker.ownerId;
  if (claim.freedAt === undefined) return sameOwner && claim.repositoryId === taker.repositoryId;
  return sameOwner || claim.freedAt + NAME_HELD_MS <= now;
}

function findClaim(db: Database, { kind, name }: Name): NameClaim | undefined {
  const row = db.get("SELECT * FROM name_claims WHERE kind = $kind AND name = $name", {
    kind,
    name,
  });
  if (row === undefined) return undefined;
  const repositoryId = optionalText(row, "repository_id");
  const freedAt = optionalInteger(row, "freed_at");
  return {
    ownerId: text(row, "owner_id"),
    ...(repositoryId !== undefined && { repositoryId }),
    ...(freedAt !== undefined && { freedAt }),
  };
}
