"""The tar stream that a copy sends."""

from __future__ import annotations

import json

import pytest

from fakes.memory_images import Memory, image
from harness.archives import files, members
from naru.client.copying.composed import compose
from naru.client.copying.files import spooled
from naru.client.copying.layouts import LayoutSource
from naru.client.copying.saved import SavedSource
from naru.oci.reference import Reference


def composed(source: Memory, positions: list[int], *, layout: bool, saved: bool) -> bytes:
    name = Reference.parse("web:1")
    return b"".join(
        compose(
            source.content,
            name,
            positions,
            source.layers(positions),
            as_layout=layout,
            as_saved=saved,
        )
    )


def test_both_kinds_of_reader_find_the_image() -> None:
    source = image(b"one" * 300, b"two")
    files = spooled([composed(source, [0, 1], layout=True, saved=True)], "x")
    as_layout, as_saved = LayoutSource(files, "web:1", None), SavedSource(files, "web:1", None)
    assert as_layout.content.manifest == source.content.manifest
    assert as_saved.content.config.raw == source.content.config.raw
    for found in (as_layout, as_saved):
        layers = found.content.layers
        assert [layer.digest for layer in layers] == [
            layer.digest for layer in source.content.layers
        ]


@pytest.mark.parametrize(
    ("layout", "saved", "absent"),
    [(True, False, "manifest.json"), (False, True, "index.json")],
)
def test_what_is_not_sent_is_named_all_the_same(layout: bool, saved: bool, absent: str) -> None:
    source = image(b"one", b"two", b"three")
    raw = composed(source, [1], layout=layout, saved=saved)
    names = [info.name for info, _ in members(raw)]
    assert absent not in names
    if saved:
        [manifest] = json.loads(files(raw)["manifest.json"])
        assert len(manifest["Layers"]) == 3
    hexes = [layer.digest.partition(":")[2] for layer in source.content.layers]
    assert [f"blobs/sha256/{name}" in names for name in hexes] == [False, True, False]
    # Documents come before the first layer.
    assert names[-1] == f"blobs/sha256/{hexes[1]}"
    assert len(raw) % 512 == 0
