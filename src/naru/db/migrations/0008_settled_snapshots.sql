-- The boot in which a snapshot was committed, until its files are known to be on the disk.
ALTER TABLE snapshots ADD COLUMN unsettled_boot TEXT NOT NULL DEFAULT '';
