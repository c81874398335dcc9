-- Blobs that have their names already, and of which nobody knows yet that they are on the disk;
-- with the boot in which they were written.
CREATE TABLE unsettled_blobs (
    digest TEXT NOT NULL PRIMARY KEY,
    boot TEXT NOT NULL
) STRICT, WITHOUT ROWID;
