"""Images in OCI layouts: found, refused, and written beside others."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from fakes.memory_images import Memory, image
from naru.client.copying.files import FolderFiles
from naru.client.copying.layouts import LayoutSource, LayoutTarget, index_entry
from naru.client.copying.portable import blob_name
from naru.errors import CorruptDataError, FaultError, InvalidInputError, NaruError, NotFoundError
from naru.oci.manifest import build_index
from naru.oci.platform import parse_platform
from naru.oci.reference import Reference


def put(folder: Path, source: Memory, name: str = "", tag: str = "") -> list[int]:
    """Copy into a layout; return the layers that were missing."""
    target = LayoutTarget(str(folder), tag)
    missing = target.missing(source.content)
    reference = Reference.parse(name) if name else None
    target.put(source.content, reference, missing, source.layers(missing))
    return missing


def entries(folder: Path) -> list[Any]:
    return list(json.loads((folder / "index.json").read_bytes())["manifests"])


def test_an_image_comes_back_as_it_went(tmp_path: Path) -> None:
    source = image(b"one", b"two")
    assert put(tmp_path, source, "web:1") == [0, 1]
    back = LayoutSource(FolderFiles(str(tmp_path)), "", None)
    assert back.content.manifest == source.content.manifest
    assert back.content.config.raw == source.content.config.raw
    assert back.content.name == Reference.parse("web:1")
    assert [b"".join(pieces) for pieces in back.layers([1, 0])] == [b"two", b"one"]
    assert put(tmp_path, source, "web:1") == []
    assert len(entries(tmp_path)) == 1


def test_names_and_tags_keep_apart_and_are_replaced(tmp_path: Path) -> None:
    old, new = image(b"one"), image(b"one", b"two")
    put(tmp_path, old, "web:1")
    put(tmp_path, old, "reg.lan/web:1")
    put(tmp_path, old, tag="1")
    assert put(tmp_path, new, "web:1") == [1]
    found = {
        name: LayoutSource(FolderFiles(str(tmp_path)), name, None).content.manifest.digest
        for name in ("web:1", "docker.io/library/web:1", "reg.lan/web:1")
    }
    assert set(found.values()) == {new.content.manifest.digest, old.content.manifest.digest}
    assert found["web:1"] == found["docker.io/library/web:1"] == new.content.manifest.digest
    assert len(entries(tmp_path)) == 3
    with pytest.raises(InvalidInputError, match=r"several images, say which: 1, docker\.io/"):
        LayoutSource(FolderFiles(str(tmp_path)), "1", None)
    with pytest.raises(NotFoundError, match="has no image x, only "):
        LayoutSource(FolderFiles(str(tmp_path)), "x", None)


def test_images_without_names_stand_side_by_side(tmp_path: Path) -> None:
    for layer in (b"one", b"two", b"one"):
        put(tmp_path, image(layer))
    put(tmp_path, image(b"three"), tag="3")
    assert len(entries(tmp_path)) == 3


def test_a_bare_tag_is_no_name(tmp_path: Path) -> None:
    put(tmp_path, image(b"one"), tag="v1")
    assert LayoutSource(FolderFiles(str(tmp_path)), "v1", None).content.name is None


def test_of_several_platforms_the_wanted_one_is_taken(tmp_path: Path) -> None:
    ours, theirs = image(b"one"), image(b"two", architecture="s390x")
    for each in (ours, theirs):
        put(tmp_path, each, tag=each.content.config.architecture)
    index = build_index(
        [each.content.manifest.descriptor(each.content.config.platform) for each in (ours, theirs)]
    )
    (tmp_path / blob_name(index.digest)).write_bytes(index.raw)
    entry = {"mediaType": index.media_type, "digest": index.digest, "size": len(index.raw)}
    outer = {"schemaVersion": 2, "manifests": [entry]}
    (tmp_path / "index.json").write_text(json.dumps(outer), encoding="utf-8")

    def found(platform: str | None, preferred: str | None = None) -> str:
        words = [parse_platform(text) if text else None for text in (platform, preferred)]
        source = LayoutSource(FolderFiles(str(tmp_path)), "", words[0], words[1])
        return source.content.config.architecture

    assert found("linux/s390x") == "s390x"
    assert found(None, "linux/s390x") == "s390x"
    assert found(None, "linux/amd64") == "amd64"
    with pytest.raises(NotFoundError, match="has nothing for linux/riscv64"):
        found("linux/riscv64")


def damaged(folder: Path, change: str) -> None:
    source = image(b"one", b"two")
    put(folder, source, "web:1")
    manifest = folder / blob_name(source.content.manifest.digest)
    if change == "manifest":
        manifest.write_bytes(manifest.read_bytes() + b" ")
    elif change == "config":
        (folder / blob_name(source.content.config.digest)).write_bytes(b"{}")
    elif change == "no manifest":
        manifest.unlink()
    elif change == "no index":
        (folder / "index.json").unlink()
    elif change == "no json":
        (folder / "index.json").write_bytes(b"?")


@pytest.mark.parametrize("change", ["manifest", "config", "no manifest", "no index", "no json"])
def test_a_layout_that_contradicts_itself_is_refused(tmp_path: Path, change: str) -> None:
    damaged(tmp_path, change)
    with pytest.raises(NaruError):
        LayoutSource(FolderFiles(str(tmp_path)), "", None)


def test_a_layer_with_other_bytes_is_not_taken_in(tmp_path: Path) -> None:
    source = image(b"one", b"two")
    source.data[1] = b"TWO"
    with pytest.raises(CorruptDataError, match="came as sha256:"):
        put(tmp_path, source, "web:1")
    # What was whole stays, unnamed, for the next try.
    assert sorted(os.listdir(tmp_path)) == ["blobs", "oci-layout"]
    source.data[1] = b"two"
    assert put(tmp_path, source, "web:1") == [1]


def test_what_a_killed_copy_left_is_cleared_away(tmp_path: Path) -> None:
    put(tmp_path, image(b"one"), "web:1")
    (tmp_path / ".naru-copy-0123").write_bytes(b"half")
    put(tmp_path, image(b"two"), "web:2")
    assert sorted(os.listdir(tmp_path)) == ["blobs", "index.json", "oci-layout"]


def test_only_a_layout_or_an_empty_folder_is_written_into(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InvalidInputError, match="has files in it and is no OCI layout"):
        LayoutTarget(str(tmp_path), "")
    with pytest.raises(InvalidInputError, match="is no folder"):
        LayoutTarget(str(tmp_path / "file"), "")
    (tmp_path / "empty").mkdir()
    put(tmp_path / "empty", image(b"one"), "web:1")
    with pytest.raises(FaultError):
        put(Path("/proc/none"), image(b"one"), "web:1")


def test_an_entry_has_the_name_or_the_tag() -> None:
    manifest = image(b"one").content.manifest
    named = index_entry(manifest, Reference.parse("web:1"))
    assert named.annotations == {
        "io.containerd.image.name": "docker.io/library/web:1",
        "org.opencontainers.image.ref.name": "1",
    }
    tagged = index_entry(manifest, Reference.parse("web:1"), "v1")
    assert tagged.annotations == {"org.opencontainers.image.ref.name": "v1"}
    assert index_entry(manifest, None).annotations is None
