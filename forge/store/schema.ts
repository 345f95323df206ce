/** Raised with every change of the tables; `migrate` brings older records forward. */
export const SCHEMA_VERSION = 1;

/** Ids are never used twice (AUTOINCREMENT): they are what rights compare. Times are Unix milliseconds. */
export const SCHEMA = `
CREATE TABLE users (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  login TEXT NOT NULL UNIQUE COLLATE NOCASE,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE tokens (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  user_id INTEGER NOT NULL REFERENCES users (id),
  name TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE,
  created_at INTEGER NOT NULL,
  used_at INTEGER,
  revoked_at INTEGER
) STRICT;

CREATE TABLE repositories (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  user_id INTEGER NOT NULL REFERENCES users (id),
  name TEXT NOT NULL COLLATE NOCASE,
  default_branch TEXT,
  private INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  pushed_at INTEGER NOT NULL,
  UNIQUE (user_id, name)
) STRICT;

CREATE TABLE announced (
  repository_id INTEGER NOT NULL REFERENCES repositories (id),
  ref TEXT NOT NULL,
  sha TEXT NOT NULL,
  PRIMARY KEY (repository_id, ref)
) STRICT, WITHOUT ROWID;

CREATE TABLE deliveries (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  guid TEXT NOT NULL UNIQUE,
  event TEXT NOT NULL,
  repository_id INTEGER NOT NULL REFERENCES repositories (id),
  ref TEXT NOT NULL,
  before TEXT NOT NULL,
  after TEXT NOT NULL,
  payload TEXT,
  state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'refused')),
  attempts INTEGER NOT NULL DEFAULT 0,
  redelivery INTEGER NOT NULL DEFAULT 0,
  last_status INTEGER,
  last_answer TEXT,
  duration_ms INTEGER,
  created_at INTEGER NOT NULL,
  next_at INTEGER NOT NULL,
  settled_at INTEGER
) STRICT;
CREATE INDEX deliveries_due ON deliveries (next_at) WHERE state = 'pending';
CREATE INDEX deliveries_by_ref ON deliveries (repository_id, ref, id);

CREATE TABLE statuses (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  repository_id INTEGER NOT NULL REFERENCES repositories (id),
  sha TEXT NOT NULL,
  context TEXT NOT NULL,
  state TEXT NOT NULL,
  description TEXT,
  target_url TEXT,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX statuses_by_commit ON statuses (repository_id, sha, id);

CREATE TABLE check_runs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  repository_id INTEGER NOT NULL REFERENCES repositories (id),
  sha TEXT NOT NULL,
  name TEXT NOT NULL,
  status TEXT NOT NULL,
  conclusion TEXT,
  details_url TEXT,
  external_id TEXT NOT NULL,
  output TEXT NOT NULL,
  started_at INTEGER,
  completed_at INTEGER
) STRICT;
CREATE INDEX check_runs_by_commit ON check_runs (repository_id, sha, id);

CREATE TABLE installation_tokens (
  hash TEXT PRIMARY KEY,
  user_id INTEGER NOT NULL REFERENCES users (id),
  repository_ids TEXT,
  permissions TEXT NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID`;
