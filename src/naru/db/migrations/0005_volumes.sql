CREATE TABLE volumes (
    name TEXT PRIMARY KEY,
    driver TEXT NOT NULL,
    created_ns INTEGER NOT NULL,
    options TEXT NOT NULL,
    labels TEXT NOT NULL,
    is_leaving INTEGER NOT NULL DEFAULT 0
) STRICT;
