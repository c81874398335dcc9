"""Files without a name."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from naru.errors import FaultError
from naru.linux import fs
from naru.store.scratch import Scratch


def test_what_was_written_is_read_and_has_no_name(tmp_path: Path) -> None:
    with Scratch(tmp_path) as scratch:
        for part in (b"first ", b"second"):
            scratch.write(part)
        assert scratch.size == 12
        assert scratch.read(0, 100) == b"first second"
        assert scratch.read(6, 3) == b"sec"
        assert scratch.read(12, 3) == b""
        assert list(tmp_path.iterdir()) == []
    scratch.close()


def test_full_disk_is_told_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int, _data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with Scratch(tmp_path) as scratch:
        monkeypatch.setattr(fs, "write_all", full)
        with pytest.raises(FaultError, match="no space left on device") as failure:
            scratch.write(b"x")
        assert "remove images or add space" in failure.value.hint
        assert scratch.size == 0


def test_missing_folder_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(FaultError, match=f"^write {tmp_path}/none: no such file or directory$"):
        Scratch(tmp_path / "none")
