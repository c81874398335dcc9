"""Law of layers: whatever an archive says, nothing outside the target is touched."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from naru.errors import NaruError
from naru.linux import fs
from naru.store import tar_apply
from naru.store.tar_read import TarReader
from suites import raw_tar as raw

# Few names, so that links and files meet often.
parts = st.sampled_from(["a", "b", "..", ".", "", ".wh.a", ".wh..wh..opq", "out", ".wh.."])
names = st.lists(parts, min_size=1, max_size=4).map("/".join)
targets = names | st.sampled_from(["/", "../outside", "../../outside/secret", "OUTSIDE", "."])


@st.composite
def members(draw: st.DrawFn) -> tuple[str, str, str]:
    kind = draw(st.sampled_from(["file", "directory", "symlink", "hard_link", "fifo"]))
    return kind, draw(names), draw(targets)


def encoded(member: tuple[str, str, str], outside: Path) -> bytes:
    kind, name, target = member
    target = target.replace("OUTSIDE", os.fspath(outside))
    match kind:
        case "file":
            return raw.member(name, b"written by the archive")
        case "directory":
            return raw.directory(name, mode=0o700)
        case "symlink":
            return raw.symlink(name, target)
        case "hard_link":
            return raw.hard_link(name, target)
        case _:
            return raw.member(name, kind=b"6")


@contextmanager
def guarded_root() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as scratch:
        outside, root = Path(scratch, "outside"), Path(scratch, "root")
        outside.mkdir()
        root.mkdir()
        (outside / "secret").write_text("untouched")
        os.utime(outside / "secret", ns=(5, 5))
        os.utime(outside, ns=(7, 7))
        before = [(outside / "secret").stat(), outside.stat()]
        yield root
        after = [(outside / "secret").stat(), outside.stat()]
        for was, now in zip(before, after, strict=True):
            assert (was.st_mode, was.st_nlink, was.st_mtime_ns, was.st_ctime_ns) == (
                now.st_mode,
                now.st_nlink,
                now.st_mtime_ns,
                now.st_ctime_ns,
            )
        assert (outside / "secret").read_text() == "untouched"
        assert sorted(os.listdir(scratch)) == ["outside", "root"]
        fs.remove_tree(root)
        assert not root.exists()


@given(st.lists(members(), max_size=12), st.booleans())
@example(
    [("symlink", "a", "OUTSIDE"), ("file", "a/secret", ""), ("hard_link", "b", "a/secret")], False
)
@example([("symlink", "a", "../outside"), ("directory", "a", ""), ("file", "a/x", "")], False)
def test_no_archive_leaves_the_root(entries: list[tuple[str, str, str]], alone: bool) -> None:
    with guarded_root() as root:
        data = raw.archive(*(encoded(entry, root.parent / "outside") for entry in entries))
        with contextlib.suppress(NaruError):
            tar_apply.apply(io.BytesIO(data), root, alone=alone)
        for directory, directories, files in os.walk(root):
            for name in (*directories, *files):
                path = Path(directory, name)
                if path.is_file() and not path.is_symlink():
                    assert path.read_text() != "untouched"


@given(st.lists(members(), max_size=5), st.data())
def test_damaged_archives_raise_nothing_but_our_errors(
    entries: list[tuple[str, str, str]], data: st.DataObject
) -> None:
    archive = bytearray(raw.archive(*(encoded(entry, Path("/o")) for entry in entries)))
    for _ in range(data.draw(st.integers(0, 4))):
        archive[data.draw(st.integers(0, len(archive) - 1))] = data.draw(st.integers(0, 255))
    del archive[data.draw(st.integers(0, len(archive))) :]
    reader = TarReader(io.BytesIO(bytes(archive)))
    with contextlib.suppress(NaruError):
        while reader.next() is not None:
            pass


@given(st.lists(st.sampled_from(["a", "b", "c/d", "c/e"]), min_size=1, max_size=12))
def test_the_last_of_equal_names_counts(sequence: list[str]) -> None:
    with guarded_root() as root:
        archive = [raw.member(name, str(turn).encode()) for turn, name in enumerate(sequence)]
        tar_apply.apply(io.BytesIO(raw.archive(*archive)), root)
        for turn, name in enumerate(sequence):
            if name not in sequence[turn + 1 :]:
                assert (root / name).read_text() == str(turn)


@given(st.binary(max_size=60))
def test_a_cleaned_name_has_no_way_up(name: bytes) -> None:
    try:
        cleaned = tar_apply.clean_name(name)
    except NaruError:
        assert b".." in name
        return
    assert b".." not in cleaned.split(b"/")
    assert not cleaned.startswith(b"/")
    assert tar_apply.clean_name(cleaned) == cleaned


@pytest.mark.parametrize("name", [b"a/b", b"./a//b/", b"/a/c/../b"])
def test_spellings_of_one_name_become_one(name: bytes) -> None:
    assert tar_apply.clean_name(name) == b"a/b"
