"""Markers of deletion."""

from __future__ import annotations

import pytest

from naru.errors import CorruptDataError
from naru.store import whiteout


def test_a_marker_names_what_it_hides() -> None:
    assert whiteout.hidden_name(b".wh.a") == b"a"
    assert whiteout.hidden_name(b".wh..a") == b".a"
    assert whiteout.hidden_name(b"a") is None


def test_bookkeeping_hides_nothing() -> None:
    assert whiteout.hidden_name(whiteout.OPAQUE) is None
    assert whiteout.hidden_name(b".wh..wh.plnk") is None


@pytest.mark.parametrize("name", [b".wh.", b".wh..", b".wh..."])
def test_a_marker_cannot_delete_the_directory_around_it(name: bytes) -> None:
    with pytest.raises(CorruptDataError, match="names nothing"):
        whiteout.hidden_name(name)


def test_overlays_attributes_are_told_from_others() -> None:
    assert whiteout.is_overlay_xattr(b"trusted.overlay.opaque")
    assert whiteout.is_overlay_xattr(b"user.overlay.redirect")
    assert not whiteout.is_overlay_xattr(b"user.overlays")
    assert not whiteout.is_overlay_xattr(b"security.capability")
