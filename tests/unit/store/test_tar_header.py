"""Headers written are headers read: by ours, and by others."""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from naru.store import tar_read
from naru.store.tar_header import END, entry_blocks, padding
from naru.store.tar_read import Entry, TarReader
from suites import raw_tar

names = st.binary(min_size=1, max_size=300).filter(
    lambda name: b"\0" not in name and not name.endswith(b"/")
)
kinds = st.sampled_from(
    [
        tar_read.REGULAR,
        tar_read.DIRECTORY,
        tar_read.SYMLINK,
        tar_read.HARD_LINK,
        tar_read.CHARACTER,
        tar_read.FIFO,
    ]
)


PLAIN = Entry(
    kind=tar_read.REGULAR, name=b"a", link=b"", mode=0o644, uid=0, gid=0, size=0, mtime_ns=0
)


def read_back(blocks: bytes) -> Entry:
    found = TarReader(io.BytesIO(blocks + END)).next()
    assert found is not None
    return found


@given(
    kind=kinds,
    name=names,
    link=names,
    mode=st.integers(0, 0o7777),
    uid=st.integers(0, 2**32 - 2),
    gid=st.integers(0, 2**32 - 2),
    seconds=st.integers(-(2**40), 2**40),
    nanoseconds=st.integers(0, 10**9 - 1),
    major=st.integers(0, 2**12 - 1),
    minor=st.integers(0, 2**20 - 1),
    xattrs=st.dictionaries(
        st.sampled_from([b"user.a", b"security.capability"]), st.binary(max_size=40)
    ),
)
def test_what_is_written_is_read_as_it_was(
    kind: bytes,
    name: bytes,
    link: bytes,
    mode: int,
    uid: int,
    gid: int,
    seconds: int,
    nanoseconds: int,
    major: int,
    minor: int,
    xattrs: dict[bytes, bytes],
) -> None:
    is_link = kind in (tar_read.SYMLINK, tar_read.HARD_LINK)
    if kind != tar_read.CHARACTER:
        major = minor = 0
    written = replace(
        PLAIN,
        kind=kind,
        name=name,
        link=link if is_link else b"",
        mode=mode,
        uid=uid,
        gid=gid,
        mtime_ns=seconds * 10**9 + nanoseconds,
        major=major,
        minor=minor,
        xattrs=xattrs or None,
    )
    found = read_back(entry_blocks(written))
    written.mtime_ns = seconds * 10**9
    written.name = name + b"/" if kind == tar_read.DIRECTORY else name
    assert found == written


@given(st.integers(0, 2**63 - 1))
@example(8**11 - 1)
@example(8**11)
def test_any_size_fits(size: int) -> None:
    found = TarReader(io.BytesIO(entry_blocks(replace(PLAIN, size=size)))).next()
    assert found is not None
    assert found.size == size


@pytest.mark.parametrize("length", [*range(80, 105), 985, 986, 987, 988, 989, 990, 991])
def test_the_length_of_a_record_counts_its_own_digits(length: int) -> None:
    name = b"n" * length
    blocks = entry_blocks(replace(PLAIN, name=name))
    assert read_back(blocks).name == name
    assert (raw_tar.pax_record(b"path", name) in blocks) == (length > 100)


def test_a_plain_entry_is_one_block_and_other_readers_agree() -> None:
    blocks = entry_blocks(
        replace(PLAIN, name=b"bin/ls", mode=0o104755, size=3, mtime_ns=1_600_000_000 * 10**9)
    )
    assert len(blocks) == tar_read.BLOCK
    data = b"abc" + padding(3)
    with tarfile.open(fileobj=io.BytesIO(blocks + data + END)) as archive:
        (member,) = archive.getmembers()
    assert (member.name, member.mode, member.size, member.mtime) == (
        "bin/ls",
        0o4755,
        3,
        1_600_000_000,
    )


def test_python_reads_long_names_and_attributes() -> None:
    name = "ö" * 200
    blocks = entry_blocks(
        replace(
            PLAIN, name=name.encode(), xattrs={b"security.capability": b"\x01\x00\n"}, uid=3_000_000
        )
    )
    with tarfile.open(fileobj=io.BytesIO(blocks + END)) as archive:
        (member,) = archive.getmembers()
    assert member.name == name
    assert member.uid == 3_000_000
    assert member.pax_headers["SCHILY.xattr.security.capability"] == "\x01\x00\n"
