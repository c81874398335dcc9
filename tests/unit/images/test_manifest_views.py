"""What is told of the manifest behind an image, and what is not when it is damaged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from naru.clock import SystemClock
from naru.db.database import Database
from naru.db.images import ImageRow, ImageRows
from naru.images.catalog import Catalog, Image
from naru.images.manifest_views import descriptor, manifests
from naru.oci import mediatype
from naru.oci.descriptor import Descriptor
from naru.oci.digest import DiffId, digest_bytes
from naru.oci.image_config import build_image_config
from naru.oci.manifest import build_index, build_manifest
from naru.oci.platform import Platform
from naru.store.content import ContentStore

_LAYER = b"a layer, packed"


@pytest.fixture
def content(tmp_path: Path) -> ContentStore:
    return ContentStore(tmp_path / "content")


@pytest.fixture
def catalog(tmp_path: Path, content: ContentStore) -> Catalog:
    rows = ImageRows(Database(tmp_path / "db"))
    return Catalog(rows, content, SystemClock(), changed=int, collect=list, settle=int)


@pytest.fixture
def image(content: ContentStore, catalog: Catalog) -> Image:
    platform = Platform(os="linux", architecture="arm", variant="v6")
    config = build_image_config(platform=platform, diff_ids=[DiffId(digest_bytes(b"a layer"))])
    layer = Descriptor(
        media_type=mediatype.OCI_LAYER_GZIP, digest=content.add(_LAYER), size=len(_LAYER)
    )
    manifest = build_manifest(
        Descriptor(
            media_type=mediatype.OCI_CONFIG, digest=content.add(config.raw), size=len(config.raw)
        ),
        [layer],
    )
    content.add(manifest.raw)
    row = ImageRow(config.digest, manifest.digest, config.chain_id, layer_sizes=(7,))
    catalog.add([(row, [])])
    found = catalog.get(config.digest)
    assert found is not None
    return found


def test_sizes_are_those_of_blobs_and_of_unpacked_layers(
    content: ContentStore, catalog: Catalog, image: Image
) -> None:
    [told] = manifests(catalog, content, image, {image.id: ["c1"]})["Manifests"]
    manifest_size = content.stat(image.manifest_digest)
    assert descriptor(catalog, image) == {"Descriptor": told["Descriptor"]}
    assert told["Descriptor"] == {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": image.manifest_digest,
        "size": manifest_size,
    }
    assert manifest_size is not None
    blobs = manifest_size + len(image.config.raw) + len(_LAYER)
    assert told["Size"] == {"Content": blobs, "Total": blobs + 7}
    assert told["Available"] is True
    assert told["ImageData"] == {
        "Platform": {"architecture": "arm", "os": "linux", "variant": "v6"},
        "Containers": ["c1"],
        "Size": {"Unpacked": 7},
    }


def test_what_is_not_all_here_is_not_available(
    content: ContentStore, catalog: Catalog, image: Image
) -> None:
    content.delete(digest_bytes(_LAYER))
    [told] = manifests(catalog, content, image, {})["Manifests"]
    assert told["Available"] is False
    manifest_size = content.stat(image.manifest_digest)
    assert manifest_size is not None
    assert told["Size"]["Content"] == manifest_size + len(image.config.raw)
    assert told["ImageData"]["Containers"] == []


@pytest.mark.parametrize("raw", [b"no manifest", build_index([]).raw, None])
def test_a_manifest_that_cannot_be_read_is_not_told_of(
    content: ContentStore, catalog: Catalog, image: Image, raw: bytes | None
) -> None:
    digest = digest_bytes(b"not here") if raw is None else content.add(raw)
    damaged = replace(image, manifest_digest=digest)
    assert descriptor(catalog, damaged) == {}
    assert manifests(catalog, content, damaged, {}) == {"Manifests": []}
