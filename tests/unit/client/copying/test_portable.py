"""Docker's manifests in layouts: other tools find the image, and we the digest."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.memory_images import Memory, image
from naru.client.copying.content import make_content
from naru.client.copying.files import FolderFiles
from naru.client.copying.layouts import LayoutSource, LayoutTarget
from naru.client.copying.portable import blob_name, portable
from naru.oci import mediatype
from naru.oci.descriptor import Descriptor
from naru.oci.manifest import build_manifest


def dockers() -> Memory:
    """Return an image whose manifest is of Docker's kind."""
    source = image(b"one", b"two")
    manifest = build_manifest(
        Descriptor(
            media_type=mediatype.DOCKER_CONFIG,
            digest=source.content.config.digest,
            size=len(source.content.config.raw),
        ),
        [
            Descriptor(media_type=mediatype.DOCKER_LAYER_GZIP, digest=layer.digest, size=layer.size)
            for layer in source.content.layers
        ],
        media_type=mediatype.DOCKER_MANIFEST,
    )
    content = make_content(manifest, source.content.config, None, is_original=True)
    return Memory(content, source.data)


def written(folder: Path) -> Memory:
    source = dockers()
    LayoutTarget(str(folder), "x").put(source.content, None, [0, 1], source.layers([0, 1]))
    return source


def test_an_oci_manifest_stays_as_it_is() -> None:
    manifest = image(b"one").content.manifest
    assert portable(manifest) is manifest


def test_dockers_manifest_is_said_in_ocis_words() -> None:
    manifest = dockers().content.manifest
    listed = portable(manifest)
    assert listed.media_type == mediatype.OCI_MANIFEST
    assert listed.config.media_type == mediatype.OCI_CONFIG
    assert {layer.media_type for layer in listed.layers} == {mediatype.OCI_LAYER_GZIP}
    assert [layer.digest for layer in listed.layers] == [layer.digest for layer in manifest.layers]


def test_the_layout_lists_ocis_and_gives_back_dockers(tmp_path: Path) -> None:
    source = written(tmp_path)
    index = (tmp_path / "index.json").read_text(encoding="utf-8")
    assert mediatype.OCI_MANIFEST in index
    assert mediatype.DOCKER_MANIFEST not in index
    found = LayoutSource(FolderFiles(str(tmp_path)), "x", None).content.manifest
    assert found == source.content.manifest


@pytest.mark.parametrize("raw", [b"", b"{}", b"other"])
def test_an_original_that_is_gone_or_another_is_done_without(tmp_path: Path, raw: bytes) -> None:
    source = written(tmp_path)
    blob = tmp_path / blob_name(source.content.manifest.digest)
    blob.unlink()
    if raw:
        blob.write_bytes(raw)
    found = LayoutSource(FolderFiles(str(tmp_path)), "x", None).content.manifest
    assert found == portable(source.content.manifest)
