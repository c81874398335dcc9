-- Which repositories have a blob, as far as we have seen: it was pulled from there or pushed there.
-- It can be mounted from one repository into another without being sent.
CREATE TABLE blob_places (
    digest TEXT NOT NULL,
    registry TEXT NOT NULL,
    repository TEXT NOT NULL,
    seen_ns INTEGER NOT NULL,
    PRIMARY KEY (digest, registry, repository)
) STRICT, WITHOUT ROWID;

-- What a layer that is kept plain becomes when it is pushed. The compressed bytes are not kept.
CREATE TABLE compressed_layers (
    diff_id TEXT NOT NULL,
    compression TEXT NOT NULL,
    digest TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    PRIMARY KEY (diff_id, compression)
) STRICT, WITHOUT ROWID;
