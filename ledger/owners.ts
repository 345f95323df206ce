import { refuseSlug, toSlug } from "#sdk/names.ts";
import type { Database, Row } from "./database.ts";
import { freeName, takeName } from "./name-claims.ts";
import { oneOf, text } from "./row.ts";
import type { Owner, OwnerId } from "./types/owner.ts";

const SCMS = ["github", "forge"] as const;
const HOLDS_SLUG = `EXISTS (SELECT 1 FROM name_claims c WHERE c.kind = 'slug' AND c.name = owners.slug
  AND c.owner_id = owners.id AND c.freed_at IS NULL)`;

/**
 * Record the owner under a slug of its own. The first slug stays for good, whatever the login becomes
 * later: functions, images and URLs carry it. Only when it was removed and is somebody else's by now is
 * a new one taken from the login. `refusal` says why there is none.
 */
export function admitOwner(
  db: Database,
  owner: Omit<Owner, "slug">,
): { readonly refusal?: string } {
  const held = findOwner(db, owner.id)?.slug;
  const holder = { ownerId: owner.id };
  if (held !== undefined && takeName(db, { kind: "slug", name: held }, holder)) {
    saveOwner(db, { ...owner, slug: held });
    return {};
  }

  const slug = toSlug(owner.login);
  const refusal = refuseSlug(slug);
  if (refusal !== undefined) return { refusal };
  if (!takeName(db, { kind: "slug", name: slug }, holder)) {
    return { refusal: `owner name "${slug}" is taken here; push from an account of another name` };
  }
  saveOwner(db, { ...owner, slug });
  return {};
}

/** Free the owner's slug: 30 days for others, at once for the same owner. */
export function removeOwner(db: Database, id: OwnerId): void {
  db.transaction(() => {
    const owner = db.get(`SELECT * FROM owners WHERE id = $id AND ${HOLDS_SLUG}`, { id });
    if (owner !== undefined) freeName(db, { kind: "slug", name: text(owner, "slug") });
  });
}

export function findOwner(db: Database, id: OwnerId): Owner | undefined {
  const row = db.get("SELECT * FROM owners WHERE id = $id", { id });
  return row && parseOwner(row);
}

export function findOwnerBySlug(db: Database, slug: string): Owner | undefined {
  const row = db.get(`SELECT * FROM owners WHERE slug = $slug AND ${HOLDS_SLUG}`, { slug });
  return row && parseOwner(row);
}

export function listOwners(db: Database): Owner[] {
  return db.all(`SELECT * FROM owners WHERE ${HOLDS_SLUG} ORDER BY slug`).map(parseOwner);
}

function saveOwner(db: Database, { id, scm, login, slug }: Owner): void {
  db.run(
    `INSERT INTO owners (id, scm, login, slug) VALUES ($id, $scm, $login, $slug)
     ON CONFLICT (id) DO UPDATE SET login = $login, slug = $slug`,
    { id, scm, login, slug },
  );
}

function parseOwner(row: Row): Owner {
  return {
    id: text(row, "id"),
    scm: oneOf(row, "scm", SCMS),
    login: text(row, "login"),
    slug: text(row, "slug"),
  };
}
