/** Version 1 of the ledger. Times are Unix milliseconds, flags 0 or 1. Never edited: add a migration. */
export const SCHEMA_V1 = `
CREATE TABLE counters (
  name TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE owners (
  id TEXT PRIMARY KEY,
  scm TEXT NOT NULL,
  login TEXT NOT NULL,
  slug TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE name_claims (
  kind TEXT NOT NULL CHECK (kind IN ('slug', 'function')),
  name TEXT NOT NULL,
  owner_id TEXT NOT NULL,
  repository_id TEXT,
  claimed_at INTEGER NOT NULL,
  freed_at INTEGER,
  PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE repositories (
  id TEXT PRIMARY KEY,
  owner_id TEXT NOT NULL,
  name TEXT NOT NULL,
  full_name TEXT NOT NULL,
  clone_url TEXT NOT NULL,
  url TEXT NOT NULL,
  private INTEGER NOT NULL,
  default_branch TEXT NOT NULL,
  installation_id INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE deliveries (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  key TEXT NOT NULL UNIQUE,
  event TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  decision TEXT NOT NULL,
  reason TEXT NOT NULL,
  status INTEGER NOT NULL,
  owner_login TEXT,
  repository TEXT,
  ref TEXT,
  sha TEXT,
  build_id TEXT
) STRICT;

CREATE TABLE branches (
  repository_id TEXT NOT NULL REFERENCES repositories,
  branch TEXT NOT NULL,
  generation INTEGER NOT NULL,
  supersedes_in_a_row INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (repository_id, branch)
) STRICT, WITHOUT ROWID;

CREATE TABLE builds (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  repository_id TEXT NOT NULL,
  owner_id TEXT NOT NULL REFERENCES owners,
  branch TEXT NOT NULL,
  sha TEXT NOT NULL,
  generation INTEGER NOT NULL,
  state TEXT NOT NULL DEFAULT 'accepted',
  reason TEXT NOT NULL DEFAULT '',
  target_url TEXT NOT NULL,
  accepted_at INTEGER NOT NULL,
  started_at INTEGER,
  ended_at INTEGER,
  attempts INTEGER NOT NULL DEFAULT 0,
  epoch INTEGER NOT NULL DEFAULT 0,
  leased_by TEXT,
  leased_until INTEGER,
  let_through INTEGER NOT NULL DEFAULT 0,
  plan TEXT,
  UNIQUE (repository_id, branch, generation),
  FOREIGN KEY (repository_id, branch) REFERENCES branches,
  CHECK (state IN ('accepted', 'planned', 'building', 'built', 'deploying',
                   'live', 'failed', 'superseded', 'cancelled', 'skipped')),
  CHECK ((ended_at IS NOT NULL) = (state IN ('live', 'failed', 'superseded', 'cancelled', 'skipped'))),
  CHECK (ended_at IS NULL OR leased_until IS NULL)
) STRICT;
CREATE INDEX builds_open ON builds (repository_id, branch) WHERE ended_at IS NULL;
CREATE INDEX builds_of_owner ON builds (owner_id, sequence);
CREATE UNIQUE INDEX one_deploying ON builds (repository_id, branch) WHERE state = 'deploying';
CREATE TRIGGER terminal_is_final BEFORE UPDATE ON builds WHEN OLD.ended_at IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a build that ended never changes'); END;

CREATE TABLE artifacts (
  owner_id TEXT NOT NULL,
  key TEXT NOT NULL,
  digest TEXT NOT NULL,
  image TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (owner_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE fences (
  service TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE releases (
  build_id TEXT NOT NULL REFERENCES builds (id),
  service TEXT NOT NULL,
  id TEXT NOT NULL,
  owner_id TEXT NOT NULL,
  repository_id TEXT NOT NULL,
  generation INTEGER NOT NULL,
  fence INTEGER NOT NULL,
  spec_hash TEXT NOT NULL,
  digest TEXT NOT NULL,
  deployment TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'declared'
    CHECK (state IN ('declared', 'serving', 'retired', 'failed')),
  declared_at INTEGER NOT NULL,
  PRIMARY KEY (build_id, service, id),
  UNIQUE (service, fence)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX one_serving ON releases (service) WHERE state = 'serving';

CREATE TABLE statuses (
  repository_id TEXT NOT NULL,
  sha TEXT NOT NULL,
  context TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'success', 'failure', 'error')),
  description TEXT NOT NULL,
  target_url TEXT NOT NULL,
  skipped INTEGER NOT NULL,
  build_id TEXT REFERENCES builds (id),
  version INTEGER NOT NULL,
  sent_version INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  retry_at INTEGER NOT NULL DEFAULT 0,
  error TEXT NOT NULL DEFAULT '',
  check_run_id INTEGER,
  PRIMARY KEY (repository_id, sha, context)
) STRICT, WITHOUT ROWID;
CREATE INDEX statuses_unsent ON statuses (version) WHERE sent_version < version;
CREATE INDEX statuses_of_build ON statuses (build_id);

CREATE TABLE events (
  build_id TEXT NOT NULL REFERENCES builds (id),
  sequence INTEGER NOT NULL,
  event TEXT NOT NULL,
  PRIMARY KEY (build_id, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  source TEXT NOT NULL,
  message TEXT NOT NULL,
  owner TEXT NOT NULL,
  repository TEXT NOT NULL
) STRICT;
`;

/** Version 2: what old rows are found by, and when a status was last wanted. */
export const SCHEMA_V2 = `
ALTER TABLE statuses ADD COLUMN wanted_at INTEGER NOT NULL DEFAULT 0;
UPDATE statuses SET wanted_at = CAST(unixepoch('subsec') * 1000 AS INTEGER);
CREATE INDEX statuses_without_build ON statuses (wanted_at) WHERE build_id IS NULL;
CREATE INDEX builds_ended ON builds (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX deliveries_of_build ON deliveries (build_id) WHERE build_id IS NOT NULL;
CREATE INDEX deliveries_received ON deliveries (received_at);
CREATE INDEX audit_at ON audit (at);
`;

/** Version 3: what a roll-back took a function away from, and the builds of a commit. */
export const SCHEMA_V3 = `
ALTER TABLE releases ADD COLUMN instead_of TEXT;
CREATE INDEX builds_of_commit ON builds (repository_id, sha);
`;

/** Version 4: which of a build's events are those of its last attempt. */
export const SCHEMA_V4 = `
ALTER TABLE builds ADD COLUMN events_before INTEGER NOT NULL DEFAULT 0;
`;

/** Version 5: when each secret was last seen in use. */
export const SCHEMA_V5 = `
CREATE TABLE secret_uses (
  name TEXT PRIMARY KEY,
  used_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`;
