-- Who has a volume's content ready for use; written before it is made so, deleted after it is not.
CREATE TABLE volume_uses (
    volume TEXT NOT NULL REFERENCES volumes (name) ON DELETE CASCADE,
    user TEXT NOT NULL,
    PRIMARY KEY (volume, user)
) STRICT;

-- A snapshot that is not whole is being made or removed, and exists for nobody.
CREATE TABLE volume_snapshots (
    volume TEXT NOT NULL REFERENCES volumes (name) ON DELETE CASCADE,
    name TEXT NOT NULL,
    created_ns INTEGER NOT NULL,
    is_whole INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (volume, name)
) STRICT;
