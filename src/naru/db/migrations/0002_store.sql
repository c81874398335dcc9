-- Snapshots: a row is written before its directory is made, and outlives its removal.
-- A parent is named, not numbered: when a lost layer is unpacked again, its children find it.
CREATE TABLE snapshots (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    driver TEXT NOT NULL,
    key TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('active', 'view', 'committed')),
    state TEXT NOT NULL CHECK (state IN ('preparing', 'ready', 'removing')),
    parent TEXT,
    size_bytes INTEGER NOT NULL DEFAULT -1
);
-- One that is being removed no longer holds its key.
CREATE UNIQUE INDEX snapshots_by_key ON snapshots (driver, key) WHERE state != 'removing';
CREATE INDEX snapshots_by_parent ON snapshots (driver, parent);

-- Leases: what garbage collection must not touch while somebody works with it.
CREATE TABLE leases (
    lease_id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    expires_ns INTEGER NOT NULL
);
CREATE TABLE lease_items (
    lease_id TEXT NOT NULL REFERENCES leases (lease_id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('blob', 'snapshot', 'ingest')),
    item TEXT NOT NULL,
    PRIMARY KEY (lease_id, kind, item)
) WITHOUT ROWID;
CREATE INDEX lease_items_by_item ON lease_items (kind, item);
