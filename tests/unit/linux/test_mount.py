"""Mount values, and the long option strings of deep stacks."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from harness.descriptors import open_count
from harness.requirements import requires
from naru.errors import FaultError, InvalidInputError
from naru.linux import mount, mountinfo
from naru.linux.mount import MS_RDONLY, Mount

pytestmark = requires("root")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    place = tmp_path / "mnt"
    place.mkdir()
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file").write_text("x")
    return place


def test_a_bind_shows_its_source_and_goes_again(place: Path) -> None:
    mount.bind(place.parent / "source", place)
    try:
        assert os.listdir(place) == ["file"]
        assert [entry.target for entry in mountinfo.mounts_under(place)] == [place]
    finally:
        mount.unmount(place)
    mount.unmount(place)
    mount.unmount(place / "absent")
    assert os.listdir(place) == []


def test_a_read_only_bind_is_read_only(place: Path) -> None:
    mount.bind(place.parent / "source", place, read_only=True)
    try:
        with pytest.raises(OSError, match="Read-only"):
            (place / "new").touch()
    finally:
        mount.unmount(place)


def test_a_file_can_be_bound_over_a_file(place: Path) -> None:
    target = place / "target"
    target.touch()
    mount.bind(place.parent / "source" / "file", target)
    try:
        assert target.read_text() == "x"
    finally:
        mount.unmount(target)


def test_a_failed_stack_leaves_nothing_mounted(place: Path) -> None:
    good = Mount(type="tmpfs", source="tmpfs")
    bad = Mount(type="nosuchfs", source="x", target="")
    with pytest.raises(FaultError, match=r"mount nosuchfs on .*: No such device"):
        mount.mount_all([good, bad], place)
    assert mountinfo.mounts_under(place) == []


def test_a_busy_mount_needs_lazy(place: Path) -> None:
    mount.mount_all([Mount(type="tmpfs", source="tmpfs")], place)
    with open(place / "file", "w"):
        with pytest.raises(FaultError, match="busy"):
            mount.unmount(place)
        mount.unmount(place, lazy=True)
    assert mountinfo.mounts_under(place) == []


def test_a_detached_stack_is_seen_by_nobody(place: Path) -> None:
    with mount.detached([Mount(type="tmpfs", source="seen-by-nobody")]) as root:
        os.mkdir("d", dir_fd=root)
        assert os.listdir(root) == ["d"]
        assert "seen-by-nobody" not in {entry.source for entry in mountinfo.mounts()}
    assert os.getcwd()
    assert os.listdir("/proc/self/fd")


def test_a_detached_stack_can_be_read_only(place: Path) -> None:
    source = os.fspath(place.parent / "source")
    with (
        mount.detached([Mount(type="bind", source=source, flags=MS_RDONLY)]) as root,
        pytest.raises(OSError, match="Read-only"),
    ):
        os.mkdir("d", dir_fd=root)


def test_a_refused_detached_mount_closes_its_descriptors(place: Path) -> None:
    before = open_count()
    with pytest.raises(FaultError), mount.detached([Mount(type="bind", source="/no/such")]):
        pass
    assert open_count() == before


def test_options_beyond_a_page_are_mounted_by_short_paths(tmp_path: Path, place: Path) -> None:
    layers = []
    for number in range(120):
        layer = tmp_path / ("x" * 50) / str(number)
        layer.mkdir(parents=True)
        (layer / f"f{number}").touch()
        layers.append(os.fspath(layer))
    data = f"lowerdir={':'.join(layers)}"
    assert len(data) > 4096
    before = Path.cwd()
    mount.mount_all([Mount(type="overlay", source="overlay", data=data)], place)
    with contextlib.ExitStack() as stack:
        stack.callback(mount.unmount, place)
        assert len(os.listdir(place)) == 120
    assert Path.cwd() == before


def test_options_that_stay_too_long_are_refused(place: Path) -> None:
    data = "lowerdir=" + ":".join(f"/{'y' * 200}{number}/a" for number in range(40))
    with pytest.raises(InvalidInputError, match="options take more"):
        mount.mount_all([Mount(type="overlay", source="overlay", data=data)], place)
