"""Archives on disk that a copy makes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fakes.memory_images import image
from naru.client.copying.archives import ArchiveTarget
from naru.client.copying.files import open_archive
from naru.client.copying.layouts import LayoutSource
from naru.errors import CorruptDataError, InvalidInputError


def put(path: Path, *, tag: str = "", breaks: bool = False) -> None:
    source = image(b"one", b"two", name="web:1")
    if breaks:
        source.data[1] = b"t"
    target = ArchiveTarget(str(path), tag=tag, as_saved=False)
    missing = target.missing(source.content)
    target.put(source.content, source.content.name, missing, source.layers(missing))


def test_an_archive_replaces_another_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    put(path)
    first = path.read_bytes()
    with pytest.raises(CorruptDataError, match="only 1 came"):
        put(path, tag="v2", breaks=True)
    assert path.read_bytes() == first
    put(path, tag="v2")
    assert LayoutSource(open_archive(str(path)), "v2", None).content.name is None
    assert os.listdir(tmp_path) == ["x.tar"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_target_is_a_file_in_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="there is no folder"):
        ArchiveTarget(str(tmp_path / "none" / "x"), as_saved=True)
    with pytest.raises(InvalidInputError, match="is no file"):
        ArchiveTarget(str(tmp_path), as_saved=True)
