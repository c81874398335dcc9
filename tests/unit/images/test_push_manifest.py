"""Which manifest goes to a registry."""

from __future__ import annotations

import pytest

from naru.images.pushing.manifest import is_foreign, is_made_here, manifest_of
from naru.oci import mediatype
from naru.oci.descriptor import Descriptor
from naru.oci.digest import Digest
from naru.oci.manifest import Manifest, build_manifest, parse_manifest


def blob(letter: str, media_type: str = "", urls: tuple[str, ...] = ()) -> Descriptor:
    digest = Digest("sha256:" + letter * 64)
    return Descriptor(media_type=media_type, digest=digest, size=7, urls=urls)


CONFIG = blob("c", mediatype.OCI_CONFIG)
GZIP = blob("1", mediatype.OCI_LAYER_GZIP)


def test_images_of_ours_go_in_dockers_words() -> None:
    plain = blob("2", mediatype.OCI_LAYER)
    made = manifest_of(CONFIG, [GZIP, plain])
    assert made.media_type == mediatype.DOCKER_MANIFEST
    assert made.config == blob("c", mediatype.DOCKER_CONFIG)
    assert made.layers == (
        blob("1", mediatype.DOCKER_LAYER_GZIP),
        blob("2", mediatype.DOCKER_LAYER),
    )
    assert made.raw == manifest_of(CONFIG, [GZIP, plain]).raw


def test_layers_that_docker_has_no_word_for_make_it_ocis() -> None:
    zstd = blob("2", mediatype.OCI_LAYER_ZSTD)
    docker = blob("1", mediatype.DOCKER_LAYER_GZIP)
    made = manifest_of(CONFIG, [docker, zstd])
    assert (made.media_type, made.config.media_type) == (
        mediatype.OCI_MANIFEST,
        mediatype.OCI_CONFIG,
    )
    assert made.layers == (GZIP, zstd)


def test_foreign_layers_keep_where_they_are_to_be_had() -> None:
    foreign = blob("f", mediatype.DOCKER_FOREIGN_LAYER_GZIP, urls=("https://x.example/f",))
    assert is_foreign(foreign)
    assert is_foreign(blob("f", f"{mediatype.OCI_FOREIGN_LAYER}+gzip", urls=("https://x",)))
    assert not is_foreign(blob("f", mediatype.DOCKER_FOREIGN_LAYER_GZIP))
    assert not is_foreign(GZIP)
    assert manifest_of(CONFIG, [foreign]).layers == (foreign,)


def test_manifests_of_ours_are_told_by_their_bytes() -> None:
    ours = build_manifest(CONFIG, [GZIP])
    assert is_made_here(ours)
    for raw in (ours.raw + b"\n", ours.raw.replace(b'{"schema', b'{"x":1,"schema')):
        theirs = parse_manifest(raw)
        assert isinstance(theirs, Manifest)
        assert not is_made_here(theirs)
    assert not is_made_here(build_manifest(CONFIG, [GZIP], annotations={"a": "b"}))
    assert not is_made_here(build_manifest(CONFIG, [GZIP], media_type=mediatype.DOCKER_MANIFEST))


@pytest.mark.parametrize("kind", ["", "application/x-unheard-of"])
def test_unknown_layers_are_of_somebody_else(kind: str) -> None:
    assert not is_foreign(blob("1", kind))
