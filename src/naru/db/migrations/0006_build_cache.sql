-- What steps of builds came to: the key is made of all that decides the outcome of a step.
CREATE TABLE build_cache (
    key TEXT PRIMARY KEY,
    image_id TEXT NOT NULL REFERENCES images (image_id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX build_cache_by_image ON build_cache (image_id);
