-- Images, by the digest of their config. The config itself is a blob; sizes of layers stand here
-- because they are asked for in every list. Times are nanoseconds since 1970, 0 for never.
CREATE TABLE images (
    image_id TEXT PRIMARY KEY,
    manifest_digest TEXT NOT NULL,
    chain_id TEXT NOT NULL,
    parent_id TEXT NOT NULL DEFAULT '',
    layer_sizes TEXT NOT NULL,
    tagged_ns INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX images_by_parent ON images (parent_id) WHERE parent_id != '';

-- Names of images: exactly one of tag and digest is set. A digest is what the registry calls the
-- content, a manifest's or an index's; manifest_digest is the image's own manifest behind it.
CREATE TABLE image_names (
    registry TEXT NOT NULL,
    repository TEXT NOT NULL,
    tag TEXT NOT NULL DEFAULT '',
    digest TEXT NOT NULL DEFAULT '',
    manifest_digest TEXT NOT NULL DEFAULT '',
    image_id TEXT NOT NULL REFERENCES images (image_id) ON DELETE CASCADE,
    PRIMARY KEY (registry, repository, tag, digest),
    CHECK ((tag = '') != (digest = ''))
) STRICT, WITHOUT ROWID;
CREATE INDEX image_names_by_image ON image_names (image_id);
