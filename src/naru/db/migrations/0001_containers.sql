-- A container's whole record is JSON: what the user asked for, in the API's own words, and what
-- became of it. Only what look-ups need stands in columns.
CREATE TABLE containers (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    image_id TEXT NOT NULL,
    record BLOB NOT NULL,
    state BLOB NOT NULL
) STRICT;
CREATE INDEX containers_by_image ON containers (image_id);
