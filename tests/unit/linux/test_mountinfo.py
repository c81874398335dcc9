"""Reading the table of mounts."""

from __future__ import annotations

from pathlib import Path

from naru.linux import mountinfo

TABLE = rb"""22 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw
30 22 0:25 /sub\040dir /mnt/with\040space\134 ro - overlay overlay rw,lowerdir=/a:/b
31 30 0:26 / /mnt/with\040space\134/in rw - tmpfs tmpfs
garbage line
"""


def test_fields_and_escapes_are_read() -> None:
    root, overlay, inner = mountinfo.parse_mountinfo(TABLE)
    assert root.propagation == ("shared:1", "master:2")
    assert (root.type, root.source, root.super_options) == ("ext4", "/dev/vda", "rw")
    assert overlay.root == "/sub dir"
    assert overlay.target == Path("/mnt/with space\\")
    assert (overlay.mount_id, overlay.parent_id, overlay.device) == (30, 22, "0:25")
    assert inner.super_options == ""


def test_the_own_table_has_proc() -> None:
    assert "proc" in {entry.type for entry in mountinfo.mounts()}
    assert mountinfo.mounts_under(Path("/proc"))[-1].target == Path("/proc")


def test_neighbours_with_a_common_prefix_are_not_below(tmp_path: Path) -> None:
    assert mountinfo.mounts_under(tmp_path) == []
    assert mountinfo.mounts_under(Path("/pro")) == []


def test_a_path_lies_on_the_innermost_mount() -> None:
    entries = mountinfo.parse_mountinfo(TABLE)
    assert mountinfo.mount_of("/etc", entries).target == Path("/")
    assert mountinfo.mount_of("/mnt/with space\\/in/x", entries).type == "tmpfs"
    assert mountinfo.mount_of("/mnt/with space\\/inner", entries).type == "overlay"
    root = entries[0]
    assert root.is_shared
    assert root.is_slave
    assert not entries[1].is_shared
