"""What describes a path in a container."""

from __future__ import annotations

import stat

import pytest

from naru.api.path_stat import PathStat, go_mode


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (stat.S_IFREG | 0o4755, 8389101),
        (stat.S_IFDIR | 0o755, 2147484141),
        (stat.S_IFLNK | 0o777, 134218239),
        (stat.S_IFDIR | 0o1777, (1 << 31) | (1 << 20) | 0o777),
        (stat.S_IFREG | 0o2644, (1 << 22) | 0o644),
        (stat.S_IFCHR | 0o666, (1 << 26) | (1 << 21) | 0o666),
        (stat.S_IFBLK | 0o660, (1 << 26) | 0o660),
        (stat.S_IFIFO | 0o600, (1 << 25) | 0o600),
        (stat.S_IFSOCK | 0o600, (1 << 24) | 0o600),
        (0o600, (1 << 19) | 0o600),
    ],
)
def test_modes_have_gos_bits(mode: int, expected: int) -> None:
    assert go_mode(mode) == expected


def test_it_has_the_schemas_names() -> None:
    found = PathStat("f", 3, 0o644, "2026-01-02T03:04:05Z", "/d/f").as_json()
    assert list(found) == ["name", "size", "mode", "mtime", "linkTarget"]
