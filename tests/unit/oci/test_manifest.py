"""Manifests and indexes: bytes kept, lies refused."""

from __future__ import annotations

import msgspec
import pytest

from naru.errors import CorruptDataError, NotSupportedError
from naru.oci import mediatype
from naru.oci.descriptor import Descriptor
from naru.oci.digest import digest_bytes
from naru.oci.manifest import Index, Manifest, build_index, build_manifest, parse_manifest
from naru.oci.platform import Platform


def descriptor(name: str, *, platform: Platform | None = None) -> Descriptor:
    return Descriptor(media_type="m", digest=digest_bytes(name.encode()), size=1, platform=platform)


def on(text: str) -> Platform:
    system, architecture = text.split("/")
    return Platform(os=system, architecture=architecture)


def encoded(**fields: object) -> bytes:
    return msgspec.json.encode({"schemaVersion": 2, **fields})


CONFIG = {"mediaType": mediatype.OCI_CONFIG, "digest": digest_bytes(b"c"), "size": 1}


def test_the_bytes_are_kept_as_received() -> None:
    raw = b' {"schemaVersion":2, "unknown": 1,\n"config":' + msgspec.json.encode(CONFIG) + b"}"
    manifest = parse_manifest(raw, mediatype.OCI_MANIFEST)
    assert isinstance(manifest, Manifest)
    assert manifest.raw == raw
    assert manifest.digest == digest_bytes(raw)
    assert manifest.descriptor().size == len(raw)


def test_a_built_manifest_reads_back() -> None:
    layers = (descriptor("one"), descriptor("two"))
    manifest = build_manifest(descriptor("config"), layers, annotations={"a": "b"})
    assert parse_manifest(manifest.raw) == manifest
    assert manifest.layers == layers
    assert build_manifest(descriptor("config"), layers, annotations={"a": "b"}).raw == manifest.raw


def test_a_built_index_reads_back() -> None:
    index = build_index((descriptor("one", platform=on("linux/amd64")),))
    assert parse_manifest(index.raw, mediatype.OCI_INDEX) == index
    empty = build_index(())
    assert isinstance(empty, Index)
    assert empty.manifests == ()


def test_dockers_types_are_known() -> None:
    raw = encoded(mediaType=mediatype.DOCKER_MANIFEST, config=CONFIG, layers=[])
    for kind in ("", "application/json; charset=utf-8"):
        assert parse_manifest(raw, kind).media_type == mediatype.DOCKER_MANIFEST


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"not json", ""),
        (b"[]", ""),
        (b"\xff\xfe", ""),
        (b"{}", ""),
        (encoded(), ""),
        (encoded(layers=[]), ""),
        (encoded(config=CONFIG, manifests=[]), ""),
        (encoded(manifests=[], layers=[]), ""),
        (encoded(mediaType=mediatype.OCI_INDEX, config=CONFIG), ""),
        (encoded(mediaType=mediatype.OCI_MANIFEST, config=CONFIG), mediatype.DOCKER_MANIFEST),
        (encoded(config=CONFIG), mediatype.OCI_INDEX),
        (encoded(config={**CONFIG, "digest": "sha256:x"}), ""),
        (encoded(config={**CONFIG, "size": -1}), ""),
        (encoded(config=CONFIG, annotations={"x": "y" * 5_000_000}), ""),
    ],
)
def test_ambiguous_or_broken_manifests_are_refused(raw: bytes, said: str) -> None:
    with pytest.raises(CorruptDataError):
        parse_manifest(raw, said)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b'{"schemaVersion":1,"fsLayers":[]}', ""),
        (encoded(), mediatype.DOCKER_SCHEMA1_SIGNED),
        (encoded(mediaType="application/x", config=CONFIG), ""),
    ],
)
def test_other_schemas_are_not_supported(raw: bytes, said: str) -> None:
    with pytest.raises(NotSupportedError):
        parse_manifest(raw, said)


def test_the_best_platform_is_selected() -> None:
    index = build_index(
        (
            descriptor("attestation", platform=on("unknown/unknown")),
            descriptor("i386", platform=on("linux/386")),
            descriptor("first", platform=on("linux/amd64")),
            descriptor("second", platform=on("linux/amd64")),
            descriptor("arm", platform=on("linux/arm64")),
        )
    )
    assert index.select(on("linux/amd64")) == index.manifests[2]
    assert index.select(on("linux/arm64")) == index.manifests[4]
    assert index.select(on("linux/s390x")) is None


def test_an_entry_without_platform_fits_when_nothing_else_does() -> None:
    index = build_index((descriptor("any"), descriptor("arm", platform=on("linux/arm64"))))
    assert index.select(on("linux/arm64")) == index.manifests[1]
    assert index.select(on("linux/amd64")) == index.manifests[0]
