"""Applying layers to a plain directory: what must come out, and what must never happen."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.descriptors import open_count
from naru.errors import CorruptDataError, InvalidInputError, NotSupportedError
from naru.linux import fs
from naru.store import tar_apply
from naru.store.tree import NeedsParentError
from suites import raw_tar as raw

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="makes devices and other users' files")


def apply(target: Path, *members: bytes, alone: bool = False) -> tar_apply.Applied:
    return tar_apply.apply(io.BytesIO(raw.archive(*members)), target, alone=alone)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    target = tmp_path / "root"
    target.mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("untouched")
    return target


def outside_is_untouched(root: Path) -> bool:
    outside = root.parent / "outside"
    return (
        sorted(os.listdir(root.parent)) == ["outside", "root"]
        and os.listdir(outside) == ["secret"]
        and (outside / "secret").read_text() == "untouched"
        and (outside / "secret").stat().st_nlink == 1
    )


def test_contents_modes_and_times_are_restored(root: Path) -> None:
    applied = apply(
        root,
        raw.directory("etc", mtime=5, mode=0o750),
        raw.member("etc/passwd", b"root", mode=0o4711, mtime=7),
        raw.symlink("etc/link", "passwd"),
        raw.hard_link("etc/same", "etc/passwd"),
    )
    assert (root / "etc/passwd").read_bytes() == b"root"
    assert stat.S_IMODE((root / "etc/passwd").stat().st_mode) == 0o4711
    assert (root / "etc/passwd").stat().st_mtime == 7
    assert stat.S_IMODE((root / "etc").stat().st_mode) == 0o750
    assert (root / "etc").stat().st_mtime == 5
    assert os.readlink(root / "etc/link") == "passwd"
    assert (root / "etc/same").samefile(root / "etc/passwd")
    assert (applied.entries, applied.size, applied.has_root) == (4, 10, False)


@needs_root
def test_owners_devices_and_attributes_are_restored(root: Path) -> None:
    capability = bytes.fromhex("0100000200200000000000000000000000000000")
    apply(
        root,
        raw.pax({b"SCHILY.xattr.security.capability": capability}),
        raw.member("ping", b"x", mode=0o6755, uid=12, gid=34),
        raw.member("null", kind=b"3", major=1, minor=3, mode=0o666),
        raw.member("loop", kind=b"4", major=7, minor=0, uid=5),
        raw.member("pipe", kind=b"6", mode=0o622),
        raw.directory("home", uid=1000, gid=1000, mode=0o1777),
    )
    ping = (root / "ping").stat()
    assert (ping.st_uid, ping.st_gid, stat.S_IMODE(ping.st_mode)) == (12, 34, 0o6755)
    assert os.getxattr(root / "ping", "security.capability") == capability
    null = (root / "null").lstat()
    assert stat.S_ISCHR(null.st_mode)
    assert null.st_rdev == os.makedev(1, 3)
    assert stat.S_IMODE(null.st_mode) == 0o666
    assert stat.S_ISBLK((root / "loop").lstat().st_mode)
    assert (root / "loop").lstat().st_uid == 5
    assert stat.S_ISFIFO((root / "pipe").lstat().st_mode)
    home = (root / "home").stat()
    assert (home.st_uid, stat.S_IMODE(home.st_mode)) == (1000, 0o1777)


@needs_root
def test_a_directory_that_hands_its_group_on_changes_nothing_in_it(root: Path) -> None:
    apply(
        root,
        raw.directory("d", mode=0o2775, gid=50),
        raw.directory("d/sub", mode=0o700),
        raw.member("d/sub/file", mode=0o640),
        raw.member("d/file", mode=0o640),
    )
    modes = {
        path.name: (path.stat().st_gid, stat.S_IMODE(path.stat().st_mode))
        for path in (root / "d", root / "d/sub", root / "d/sub/file", root / "d/file")
    }
    assert modes == {"d": (50, 0o2775), "sub": (0, 0o700), "file": (0, 0o640)}


@needs_root
@pytest.mark.parametrize("make", [raw.directory, raw.member])
def test_an_access_list_comes_out_as_it_was(root: Path, make: Callable[..., bytes]) -> None:
    entries = [(1, 7, 2**32 - 1), (2, 7, 1000), (4, 5, 2**32 - 1), (16, 7, 2**32 - 1)]
    listed = struct.pack("<I", 2) + b"".join(
        struct.pack("<HHI", *entry) for entry in [*entries, (32, 5, 2**32 - 1)]
    )
    apply(root, raw.pax({b"SCHILY.xattr.system.posix_acl_access": listed}), make("x", mode=0o755))
    assert os.getxattr(root / "x", "system.posix_acl_access") == listed


def test_the_root_directory_takes_its_entry(root: Path) -> None:
    assert apply(root, raw.directory(".", mode=0o700, mtime=3), raw.member("./a")).has_root
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    assert root.stat().st_mtime == 3


def test_the_last_of_equal_names_counts(root: Path) -> None:
    apply(
        root,
        raw.member("a", b"first"),
        raw.hard_link("b", "a"),
        raw.member("a", b"second"),
        raw.directory("c"),
        raw.member("c/inside"),
        raw.member("c", b"file now"),
        raw.member("d"),
        raw.directory("d"),
        raw.member("d/inside"),
        raw.symlink("e", "d"),
        raw.directory("e"),
    )
    assert (root / "a").read_bytes() == b"second"
    assert (root / "b").read_bytes() == b"first"
    assert (root / "c").read_bytes() == b"file now"
    assert os.listdir(root / "d") == ["inside"]
    assert not (root / "e").is_symlink()


def test_a_directory_that_comes_again_keeps_what_is_in_it(root: Path) -> None:
    apply(root, raw.directory("d"), raw.member("d/a"), raw.directory("d", mode=0o700))
    assert os.listdir(root / "d") == ["a"]
    assert stat.S_IMODE((root / "d").stat().st_mode) == 0o700


def test_missing_parents_are_made(root: Path) -> None:
    apply(root, raw.member("a/b/c/d", b"x"))
    assert (root / "a/b/c/d").read_bytes() == b"x"


def test_names_may_be_four_kibibytes_long(root: Path) -> None:
    name = "/".join(["n" * 200] * 20)
    apply(root, raw.member(name, b"deep"))
    descriptor = os.open(root, os.O_RDONLY)
    for part in name.split("/")[:-1]:
        following = os.open(part, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = following
    assert os.listdir(descriptor) == ["n" * 200]
    os.close(descriptor)


def test_odd_spellings_of_a_name_are_one_name(root: Path) -> None:
    apply(root, raw.member("/abs"), raw.member("./a//b/./c"), raw.member("x/../y"))
    assert sorted(os.listdir(root)) == ["a", "abs", "y"]


@pytest.mark.parametrize("name", ["../outside/new", "a/../../outside/new", "..", "/../outside/x"])
def test_dots_cannot_leave_the_root(root: Path, name: str) -> None:
    with pytest.raises(InvalidInputError, match="leads out of the root"):
        apply(root, raw.member(name, b"x"))
    assert outside_is_untouched(root)


@pytest.mark.parametrize("to", ["../outside", "/outside", "../../../../../../..", "/"])
def test_a_symlink_cannot_leave_the_root(root: Path, to: str) -> None:
    target = to if to != "/outside" else os.fspath(root.parent / "outside")
    with contextlib.suppress(InvalidInputError):
        apply(root, raw.symlink("out", target), raw.member("out/new", b"x"))
    assert outside_is_untouched(root)


def test_symlinks_are_followed_inside_the_root(root: Path) -> None:
    apply(
        root,
        raw.directory("usr"),
        raw.directory("usr/lib"),
        raw.symlink("lib", "/usr/lib"),
        raw.symlink("up", "../../../usr/lib"),
        raw.member("lib/one"),
        raw.member("up/two"),
    )
    assert sorted(os.listdir(root / "usr/lib")) == ["one", "two"]


def test_a_file_replaces_a_symlink_and_does_not_write_through_it(root: Path) -> None:
    secret = root.parent / "outside" / "secret"
    apply(root, raw.symlink("a", os.fspath(secret)), raw.member("a", b"overwritten"))
    assert not (root / "a").is_symlink()
    assert outside_is_untouched(root)


@pytest.mark.parametrize("target", ["../outside/secret", "/../outside/secret"])
def test_a_hard_link_cannot_leave_the_root(root: Path, target: str) -> None:
    with pytest.raises(InvalidInputError):
        apply(root, raw.hard_link("a", target))
    assert outside_is_untouched(root)


def test_a_hard_link_through_a_symlink_stays_inside(root: Path) -> None:
    outside = os.fspath(root.parent / "outside")
    with pytest.raises(CorruptDataError, match="not there"):
        apply(root, raw.symlink("out", outside), raw.hard_link("a", "out/secret"))
    assert outside_is_untouched(root)


def test_a_hard_link_to_a_symlink_links_the_symlink(root: Path) -> None:
    outside = os.fspath(root.parent / "outside" / "secret")
    apply(root, raw.symlink("s", outside), raw.hard_link("h", "s"))
    assert os.readlink(root / "h") == outside
    assert outside_is_untouched(root)


def test_a_hard_link_to_itself_changes_nothing(root: Path) -> None:
    apply(root, raw.member("a", b"x"), raw.hard_link("a", "a"), raw.hard_link("b", "a"))
    apply(root, raw.hard_link("b", "a"))
    assert (root / "a").read_bytes() == b"x"


def test_a_hard_link_replaces_what_has_its_name(root: Path) -> None:
    apply(
        root,
        raw.directory("d"),
        raw.member("d/a", b"x"),
        raw.symlink("l", "d"),
        raw.hard_link("l", "d/a"),
        raw.directory("e"),
        raw.member("e/x"),
        raw.hard_link("e", "d/a"),
    )
    assert (root / "l").samefile(root / "d/a")
    assert (root / "e").samefile(root / "d/a")


@pytest.mark.parametrize(
    "members",
    [
        (raw.hard_link("a", "nothing"),),
        (raw.directory("d"), raw.hard_link("a", "d")),
        (raw.hard_link("a", ""),),
        (raw.member("f"), raw.member("f/below")),
        (raw.symlink("s", "nowhere"), raw.member("s/below")),
        (raw.symlink("s", ""),),
        (raw.symlink("one", "two"), raw.symlink("two", "one"), raw.member("one/x")),
        (raw.member("n" * 256),),
        (raw.member("/".join(["n" * 250] * 20)),),
        (raw.member(".wh."),),
        (raw.member(".wh..wh..opq/x"), raw.member("a/.wh..")),
        (raw.member(".wh..."),),
    ],
)
def test_what_cannot_be_made_is_a_clear_error(root: Path, members: tuple[bytes, ...]) -> None:
    with pytest.raises((InvalidInputError, CorruptDataError), match="layer: "):
        apply(root, *members)
    assert outside_is_untouched(root)


@needs_root
def test_overlays_own_marks_cannot_be_smuggled_in(root: Path) -> None:
    apply(
        root,
        raw.pax(
            {
                b"SCHILY.xattr.trusted.overlay.redirect": b"/etc",
                b"SCHILY.xattr.trusted.overlay.opaque": b"y",
                b"SCHILY.xattr.user.fine": b"1",
            }
        ),
        raw.directory("d"),
    )
    assert [name for name in os.listxattr(root / "d") if "overlay" in name] == []
    with pytest.raises(InvalidInputError, match="0:0"):
        apply(root, raw.member("w", kind=b"3"))


def test_a_whiteout_deletes_what_was_below(root: Path) -> None:
    apply(root, raw.directory("d"), raw.member("d/old"), raw.member("file"), raw.symlink("l", "d"))
    apply(root, raw.member(".wh.d"), raw.member(".wh.file"), raw.member(".wh.l"))
    assert os.listdir(root) == []


def test_a_whiteout_of_nothing_is_harmless(root: Path) -> None:
    apply(root, raw.member(".wh.a"), raw.member("b/.wh.c"), raw.member("d/.wh..wh..opq"))
    assert os.listdir(root) == []


def test_a_whiteout_removes_a_link_and_not_what_it_points_to(root: Path) -> None:
    (root / "l").symlink_to(root.parent / "outside")
    apply(root, raw.member(".wh.l"))
    assert os.listdir(root) == []
    assert outside_is_untouched(root)


@pytest.mark.parametrize("marker_first", [True, False])
def test_an_opaque_marker_hides_the_old_and_keeps_the_new(root: Path, marker_first: bool) -> None:
    apply(
        root,
        raw.directory("d"),
        raw.member("d/old"),
        raw.directory("d/sub"),
        raw.member("d/sub/old"),
    )
    new = [raw.directory("d"), raw.directory("d/sub"), raw.member("d/sub/new"), raw.member("d/new")]
    marker = raw.member("d/.wh..wh..opq")
    apply(root, *([new[0], marker, *new[1:]] if marker_first else [*new, marker]))
    assert sorted(os.listdir(root / "d")) == ["new", "sub"]
    assert os.listdir(root / "d/sub") == ["new"]


@pytest.mark.parametrize("marker_first", [True, False])
def test_a_whiteout_never_hides_what_its_own_layer_brings(root: Path, marker_first: bool) -> None:
    apply(root, raw.directory("d"), raw.member("d/old"), raw.member("f", b"old"))
    new = [raw.directory("d"), raw.member("d/new"), raw.member("f", b"new")]
    markers = [raw.member(".wh.d"), raw.member(".wh.f")]
    apply(root, *(markers + new if marker_first else new + markers))
    assert os.listdir(root / "d") == ["new"]
    assert (root / "f").read_bytes() == b"new"


def test_bookkeeping_of_aufs_is_left_out(root: Path) -> None:
    apply(root, raw.member(".wh..wh.aufs"), raw.directory(".wh..wh.plnk"))
    assert os.listdir(root) == []


def test_thousands_of_whiteouts_of_nested_new_files_are_quick(root: Path) -> None:
    members = [raw.directory("d")]
    for number in range(2000):
        members += [raw.member(f"d/{number}"), raw.member(f"d/.wh.{number}x")]
    apply(root, *members)
    assert len(os.listdir(root / "d")) == 2000


def test_a_tree_deeper_than_pythons_stack_can_be_replaced(root: Path) -> None:
    name = "/".join(["d"] * 1500)
    apply(root, raw.member(name, b"x"))
    apply(root, raw.member(".wh.d"))
    assert os.listdir(root) == []


def test_many_directories_do_not_exhaust_descriptors(root: Path) -> None:
    before = open_count()
    members = [raw.member(f"d{number}/{number}") for number in range(1500)]
    apply(root, *members, *(raw.hard_link(f"l{n}/x", f"d{n}/{n}") for n in range(500)))
    assert open_count() == before
    assert len(os.listdir(root)) == 2000


def test_a_cut_off_layer_is_refused(root: Path) -> None:
    data = raw.archive(raw.member("a", b"x" * 5000))[:3000]
    with pytest.raises(CorruptDataError, match="'a'"):
        tar_apply.apply(io.BytesIO(data), root)


def test_sparse_files_of_posix_keep_their_holes(root: Path) -> None:
    name = {b"GNU.sparse.name": b"holes", b"GNU.sparse.map": b"8000000,3"}
    applied = apply(
        root, raw.pax({**name, b"GNU.sparse.size": b"9000000"}), raw.member("x", b"mid")
    )
    assert os.listdir(root) == ["holes"]
    assert (root / "holes").read_bytes() == bytes(8_000_000) + b"mid" + bytes(999_997)
    assert (root / "holes").stat().st_blocks * 512 < 1 << 20
    assert applied.size == 9_000_000


def test_sparse_files_that_docker_cannot_read_are_refused_by_name(root: Path) -> None:
    with pytest.raises(NotSupportedError, match="'holes'") as caught:
        apply(root, raw.member("holes", kind=b"S"))
    assert "--format=posix" in caught.value.hint


@pytest.mark.parametrize("size", [b"9223372036854775807", b"4611686018427387904"])
def test_a_sparse_file_larger_than_any_disk_is_an_error_or_a_hole(root: Path, size: bytes) -> None:
    records = {b"GNU.sparse.map": b"", b"GNU.sparse.size": size, b"GNU.sparse.name": b"huge"}
    with contextlib.suppress(InvalidInputError):
        apply(root, raw.pax(records), raw.member("x"))
    assert sum(path.stat().st_blocks for path in root.iterdir()) < 100


@needs_root
def test_attributes_of_users_are_left_out_where_the_kernel_has_none(root: Path) -> None:
    attribute = raw.pax({b"SCHILY.xattr.user.x": b"1"})
    apply(root, attribute, raw.symlink("l", "x"), attribute, raw.member("p", kind=b"6"))
    assert sorted(os.listdir(root)) == ["l", "p"]


def test_impossible_times_are_bounded(root: Path) -> None:
    apply(
        root,
        raw.member("a", mtime=raw.base256(2**80, 12)),
        raw.member("b", mtime=raw.base256(-(2**80), 12)),
    )
    assert sorted(os.listdir(root)) == ["a", "b"]


@pytest.mark.parametrize(
    "member",
    [
        raw.member("a/b"),
        raw.hard_link("a", "below"),
        raw.member(".wh.b"),
        raw.member(".wh..wh..opq"),
        raw.hard_link("a", "x/b"),
    ],
)
def test_alone_what_needs_the_parent_says_so(root: Path, member: bytes) -> None:
    with pytest.raises(NeedsParentError):
        apply(root, member, alone=True)


def test_the_target_of_a_failed_layer_can_be_removed(root: Path) -> None:
    with pytest.raises(CorruptDataError):
        apply(root, raw.directory("d", mode=0), raw.member("d/x"), raw.hard_link("a", "b"))
    fs.remove_tree(root)
    assert not root.exists()
