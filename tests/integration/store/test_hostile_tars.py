"""Whatever a tar says, as root and on real layers: nothing is touched outside of its root.

Every way in is tried with the same archives: a layer onto nothing, a layer onto its parent, and a
user's archive into a container or an image, which `cp`, build contexts and ADD share.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from harness.requirements import requires
from naru.db.database import Database
from naru.errors import NaruError
from naru.linux import mountinfo
from naru.oci.digest import ChainId, digest_bytes
from naru.store import tar_apply
from naru.store.overlay import OverlaySnapshotter
from naru.store.tree_extract import extract
from suites import raw_tar as raw

pytestmark = requires("root")

OUTSIDE = b"@OUTSIDE@"
"""Stands for the absolute path of what must not be touched."""
_SECRET = b"not for you\n"


def listing(top: Path) -> list[tuple[object, ...]]:
    """Return everything there is to know of a tree, but for the times of looking at it."""
    found: list[tuple[object, ...]] = []
    for path in [top, *sorted(top.rglob("*"))]:
        status = path.lstat()
        kind = stat.S_IFMT(status.st_mode)
        content: object = status.st_rdev
        if kind == stat.S_IFLNK:
            content = path.readlink()
        elif kind == stat.S_IFREG:
            content = path.read_bytes()
        attributes = {
            name: os.getxattr(path, name, follow_symlinks=False)
            for name in os.listxattr(path, follow_symlinks=False)
        }
        found.append(
            (
                str(path),
                content,
                attributes,
                *(status.st_ino, status.st_mode, status.st_uid, status.st_gid, status.st_nlink),
                *(status.st_size, status.st_mtime_ns, status.st_ctime_ns),
            )
        )
    return found


class Ground:
    """A store with one layer, a tree beside it that must stay as it is, and a root to extract to."""

    def __init__(self, scratch: Path) -> None:
        self.outside = scratch / "outside"
        (self.outside / "sub").mkdir(parents=True)
        (self.outside / "secret").write_bytes(_SECRET)
        (self.outside / "sub" / "tool").write_bytes(b"#!/bin/sh\n")
        os.setxattr(self.outside / "secret", "user.mark", b"1")
        self.scratch = scratch
        self.database = Database(scratch / "naru.db")
        self.snapshots = OverlaySnapshotter(scratch / "snapshots", self.database)
        self.parent = ChainId(digest_bytes(b"parent"))
        lower = [
            *(raw.directory("a"), raw.directory("a/b"), raw.member("a/f", b"lower")),
            *(raw.symlink("out", os.fsencode(self.outside)), raw.symlink("up", "../../../outside")),
            raw.hard_link("a/same", "a/f"),
        ]
        mounts = self.snapshots.prepare("lower", None)
        tar_apply.apply_to_mounts(io.BytesIO(raw.archive(*lower)), mounts)
        self.snapshots.commit(self.parent, "lower")
        self._count = 0

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """Fail if the block changes what is outside, or leaves anything."""
        before = listing(self.outside)
        layers = listing(self.snapshots.root)
        beside = sorted(os.listdir(self.scratch))
        yield
        assert listing(self.outside) == before
        assert sorted(os.listdir(self.scratch)) == beside
        # The layer below is shared by others: it is as it was, to the inode.
        assert listing(self.snapshots.root)[1:] == layers[1:]
        assert mountinfo.mounts_under(self.scratch) == []

    def layer(self, data: bytes, *, alone: bool) -> None:
        """Apply an archive as a layer, with what is below it or without, and take it away."""
        key = f"k{self._count}"
        self._count += 1
        mounts = self.snapshots.prepare(key, None if alone else self.parent)
        try:
            with contextlib.suppress(NaruError):
                tar_apply.apply_to_mounts(io.BytesIO(data), mounts, alone=alone)
                if alone:
                    self.snapshots.rebase(key, self.parent, inherit_root=True)
            if alone:
                self._check_tree(Path(mounts[0].source))
        finally:
            self.snapshots.remove(key)

    def extraction(self, data: bytes, *, deep: bool) -> None:
        """Extract an archive as a user's into a folder of a root that has links of its own."""
        key = f"k{self._count}"
        self._count += 1
        tree = Path(self.snapshots.prepare(key, None)[0].source)
        (tree / "a" / "b").mkdir(parents=True)
        (tree / "out").symlink_to(self.outside)
        (tree / "a" / "up").symlink_to("../../../../../../..")
        root = os.open(tree, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with contextlib.suppress(NaruError):
                extract(io.BytesIO(data), root, b"a/b" if deep else b"")
            self._check_tree(tree)
        finally:
            os.close(root)
            self.snapshots.remove(key)

    def _check_tree(self, tree: Path) -> None:
        for directory, directories, files in os.walk(os.fsencode(tree)):
            for name in (*directories, *files):
                path = os.path.join(directory, name)
                status = os.lstat(path)
                assert not (stat.S_ISCHR(status.st_mode) and status.st_rdev == 0)
                names = os.listxattr(path, follow_symlinks=False)
                assert [name for name in names if "overlay" in name] == []
                if stat.S_ISREG(status.st_mode) and status.st_size == len(_SECRET):
                    assert Path(os.fsdecode(path)).read_bytes() != _SECRET

    def try_everywhere(self, *members: bytes) -> None:
        """Apply the members by every way in."""
        data = raw.archive(*members)
        for choice in (True, False):
            with self.guarded():
                self.layer(data, alone=choice)
            with self.guarded():
                self.extraction(data, deep=choice)

    def names_outside(self, text: bytes) -> bytes:
        """Put the absolute path in."""
        return text.replace(OUTSIDE, os.fsencode(self.outside))


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    made = Ground(tmp_path_factory.mktemp("hostile"))
    yield made
    made.database.close()


def _through(make: Callable[[str], bytes]) -> list[tuple[bytes, ...]]:
    """Return archives that first lay a link, then use it: of every kind, to every place."""
    targets = (OUTSIDE, b"../../../../outside", b"/proc/self/cwd", b"/proc/self/root", b"..", b"/")
    return [(raw.symlink("l", target), make("l/secret")) for target in targets]


def _sparse(size: bytes, places: bytes, **more: bytes) -> tuple[bytes, ...]:
    records = {b"GNU.sparse.size": size, b"GNU.sparse.map": places}
    records |= {b"GNU.sparse.%b" % key.encode(): value for key, value in more.items()}
    return raw.pax(records), raw.member("f", b"x")


_LINK_TARGETS = (OUTSIDE + b"/secret", b"../outside/secret", b"/proc/self/exe", b"l/secret")
CASES: dict[str, list[tuple[bytes, ...]]] = {
    "absolute path": [(raw.member(b"/etc/passwd-of-test", b"x"),), (raw.member(b"//x", b"x"),)],
    "path to outside": [(raw.member(OUTSIDE + b"/secret", b"x", mode=0o6777),)],
    "dots": [(raw.member(b"../outside/secret", b"x"),), (raw.member(b"a/../../outside/n", b"x"),)],
    "file through a link": _through(lambda name: raw.member(name, b"x", mode=0o4755)),
    "directory through a link": _through(lambda name: raw.directory(name, mode=0o2777, uid=7)),
    "link through a link": _through(lambda name: raw.symlink(name, "x")),
    "device through a link": _through(lambda name: raw.member(name, kind=b"3", major=1, minor=3)),
    "whiteout through a link": _through(
        lambda name: raw.member(name.replace("secret", ".wh.secret"))
    ),
    "opaque through a link": _through(
        lambda name: raw.member(name.replace("secret", ".wh..wh..opq"))
    ),
    "hard link outside": [(raw.hard_link("h", target),) for target in _LINK_TARGETS],
    "hard link through a link, then written": [
        (raw.symlink("l", OUTSIDE), raw.hard_link("h", "l/secret"), raw.member("h", b"x")),
        (raw.symlink("s", OUTSIDE + b"/secret"), raw.hard_link("h", "s"), raw.member("h", b"x")),
        (raw.hard_link("h", "out/secret"), raw.member("h", b"x")),
        (raw.hard_link("h", "up/secret"), raw.member("h", b"x")),
    ],
    "links of the parent": [
        (raw.member("out/secret", b"x"),),
        (raw.member("up/new", b"x"),),
        (raw.directory("out", mode=0o777), raw.member("out/secret", b"x")),
        (raw.member("out/.wh.secret"),),
        (raw.member(".wh.out"), raw.directory("out"), raw.member("out/secret", b"x")),
    ],
    "kinds that take turns": [
        (
            *(raw.member("t", b"1"), raw.directory("t"), raw.member("t/in", b"2")),
            *(raw.symlink("t", OUTSIDE), raw.member("t/secret", b"3"), raw.directory("t")),
            *(raw.symlink("t", OUTSIDE), raw.directory("t"), raw.member("t/secret", b"4")),
        ),
        (raw.directory("d", mode=0), raw.symlink("d", OUTSIDE), raw.directory("d", mode=0o777)),
        (raw.symlink("l", OUTSIDE), raw.directory("l", uid=5), raw.member("l/.wh..wh..opq")),
    ],
    "whiteouts that aim outside": [
        (raw.member(b".wh..."),),
        (raw.member(b".wh.."),),
        (raw.member(b".wh."),),
        (raw.member(b"a/.wh../../../outside/secret"),),
        (raw.member(b"../outside/.wh.secret"),),
        (raw.member(OUTSIDE + b"/.wh.secret"),),
        (raw.directory(b".wh.out"), raw.symlink(b".wh.a", OUTSIDE)),
        (raw.directory(b".wh..wh.plnk"), raw.member(b".wh..wh.plnk/1.2", b"x")),
        (raw.hard_link("h", ".wh..wh.plnk/1.2"),),
    ],
    "devices": [
        (raw.member("n", kind=b"3", major=1, minor=3), raw.member("n", b"x")),
        (raw.member("z", kind=b"3"), raw.member("b", kind=b"4", major=254, minor=0, mode=0o666)),
        (raw.member("p", kind=b"6"), raw.member("p", b"x")),
    ],
    "setuid and owners": [
        (raw.member("s", b"x", mode=0o7777, uid=2**21 - 1, gid=2**21 - 1),),
        (raw.member("s", b"x", uid=raw.base256(2**32 - 2, 8), gid=raw.base256(2**32 - 2, 8)),),
        (raw.member("s", b"x", uid=raw.base256(-1, 8)),),
    ],
    "attributes": [
        (raw.pax({b"SCHILY.xattr." + name: value}), *made)
        for name, value in (
            (b"trusted.overlay.redirect", b"/../../outside"),
            (b"trusted.overlay.opaque", b"y"),
            (b"trusted.overlay.metacopy", b""),
            (b"user.overlay.whiteout", b""),
            (b"security.capability", b"\1\0\0\2" + bytes(16)),
            (b"system.posix_acl_access", b"rubbish"),
            (b"user.big", b"x" * 70_000),
            (b"", b"x"),
            (b"no-such-class.x", b"x"),
        )
        for made in (
            (raw.directory("a"),),
            (raw.symlink("l", OUTSIDE + b"/secret"),),
            (raw.member("f", b"x"),),
            (
                raw.symlink("l", OUTSIDE),
                raw.pax({b"SCHILY.xattr.user.q": b"1"}),
                raw.directory("l"),
            ),
        )
    ],
    "long names": [
        (raw.member("/".join(["n" * 200] * 20), b"x"),),
        (raw.member("n" * 300, b"x"),),
        (raw.member(b"/".join([b"d"] * 3000), b"x"),),
        (raw.pax({b"path": b"../" * 1300 + b"x"}), raw.member("x", b"x")),
        (raw.symlink("l", b"x" * 5000),),
        (raw.header(b"L", b"L", size=2**30), raw.member("x")),
        *(
            (raw.long_name(b"../outside/" + b"x" * 90, kind), raw.member("x"))
            for kind in (b"L", b"K")
        ),
    ],
    "names that are no text": [
        (raw.member(b"\xff\xfe/\x80", b"x"), raw.symlink(b"\xf0\x28", b"\xc3\x28")),
        (raw.member(b"new\nline\x1b[31m", b"x"),),
    ],
    "huge headers": [
        (raw.header(b"p", b"x", size=2**33 - 1),),
        (raw.header(b"p", b"x", size=raw.base256(2**62, 12)),),
        (raw.header(b"g", b"g", size=2**33 - 1), raw.member("x")),
        (raw.member("f", size=raw.base256(2**63 - 1, 12)),),
        (raw.member("f", size=raw.base256(-(2**62), 12)), raw.member("../outside/secret", b"x")),
        (raw.pax({b"size": b"-1"}), raw.member("f")),
        (raw.pax({b"size": b"1" * 19}), raw.member("f", b"x")),
        (*[raw.pax({b"comment": b"x" * 60_000})] * 30, raw.member("f", b"x")),
    ],
    "sparse": [
        _sparse(b"9223372036854775807", b"9223372036854775800,1"),
        _sparse(b"99999999999999999999", b"0,1"),
        _sparse(b"-1", b"0,1"),
        _sparse(b"5", b"0,1,0,1"),
        _sparse(b"9999999999", b"4294967296,1"),
        _sparse(b"1", b"0,1", name=b"../outside/secret"),
    ],
}


@pytest.mark.parametrize("case", CASES)
def test_a_hostile_tar_touches_nothing_outside(ground: Ground, case: str) -> None:
    for members in CASES[case]:
        named = [ground.names_outside(member) for member in members]
        if named != list(members):
            # The path has changed lengths and sums: written again, the same way.
            named = [_rewritten(ground, member) for member in members]
        ground.try_everywhere(*named)


def _rewritten(ground: Ground, member: bytes) -> bytes:
    """Write a member of one block again with the real path in its name and link."""
    block = member[:512]
    name, link = block[:100].rstrip(b"\0"), block[157:257].rstrip(b"\0")
    if OUTSIDE not in name + link:
        return member
    return raw.member(
        ground.names_outside(name),
        member[512:][: int(block[124:135], 8)],
        block[156:157],
        link=ground.names_outside(link),
        mode=int(block[100:107], 8),
        uid=int(block[108:115], 8),
    )


_markers = st.sampled_from(
    [b".wh.a", b".wh.out", b".wh..", b".wh...", b".wh..wh..opq", b".wh..wh.plnk"]
)
_parts = _markers | st.sampled_from(
    [b"a", b"b", b"f", b"..", b".", b"", b"out", b"up", b"l", b"\xff", b"n" * 120]
)
_names = st.lists(_parts, min_size=1, max_size=4).map(b"/".join)
_targets = _names | st.sampled_from(
    [OUTSIDE, OUTSIDE + b"/secret", b"/", b"..", b"/proc/self/root", b"../../../outside/secret"]
)
_attributes = st.sampled_from(
    [b"user.x", b"trusted.overlay.opaque", b"trusted.overlay.redirect", b"security.capability"]
)


@st.composite
def _members(draw: st.DrawFn) -> tuple[bytes, bytes, bytes, raw.Fields, bytes]:
    kind = draw(st.sampled_from([b"0", b"0", b"1", b"1", b"2", b"2", b"5", b"5", b"3", b"6", b"7"]))
    fields: raw.Fields = {
        "mode": draw(st.sampled_from([0, 0o644, 0o755, 0o1777, 0o4755, 0o7777])),
        "uid": draw(st.sampled_from([0, 1, 65534])),
        "minor": draw(st.integers(0, 9)),
    }
    attribute = draw(st.just(b"") | _attributes)
    return kind, draw(_names), draw(_targets) if kind in (b"1", b"2") else b"", fields, attribute


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_members(), min_size=1, max_size=12))
@example([(b"2", b"l", OUTSIDE, {}, b""), (b"0", b"l/secret", b"", {}, b"user.x")])
def test_no_sequence_of_entries_touches_anything_outside(
    ground: Ground, members: list[tuple[bytes, bytes, bytes, raw.Fields, bytes]]
) -> None:
    written = []
    for kind, name, target, fields, attribute in members:
        if attribute:
            written.append(raw.pax({b"SCHILY.xattr." + attribute: b"y"}))
        whole = fields | {"link": ground.names_outside(target)}
        written.append(raw.member(name, b"x" if kind == b"0" else b"", kind, **whole))
    ground.try_everywhere(*written)
