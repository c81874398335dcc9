"""Which images nobody needs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from naru.images.catalog import Image
from naru.images.prune import layer_sizes, unused_images
from naru.oci.digest import DiffId, Digest, digest_bytes
from naru.oci.image_config import build_image_config, chain_ids
from naru.oci.platform import host_platform

LAYER = DiffId(digest_bytes(b"layer"))
OTHER = DiffId(digest_bytes(b"other"))


def image(name: str, *tags: str, parent: str = "", digests: tuple[str, ...] = ()) -> Image:
    config = build_image_config(platform=host_platform(), diff_ids=[LAYER, OTHER])
    return Image(
        id=name,
        manifest_digest=Digest(""),
        repo_tags=tags,
        repo_digests=digests,
        size=3,
        layer_sizes=(1, 2),
        created="",
        config=config,
        chain_id=config.chain_id,
        parent_id=parent,
        tagged_ns=0,
    )


IMAGES = [
    image("tagged", "x:1"),
    image("dangling"),
    image("pulled", digests=("x@sha256:0",)),
    image("base", "b:1"),
    image("middle", parent="base"),
    image("top", parent="middle"),
    image("named-below", "n:1"),
    image("above", "a:1", parent="named-below"),
]


@pytest.mark.parametrize(
    ("only_dangling", "used", "gone"),
    [
        (True, set(), "dangling pulled top"),
        (True, {"dangling"}, "pulled top"),
        (False, set(), "tagged dangling pulled base top named-below above"),
        (False, {"tagged", "top"}, "dangling pulled base named-below above"),
    ],
)
def test_only_what_nobody_needs_goes(only_dangling: bool, used: set[str], gone: str) -> None:
    found = unused_images(IMAGES, only_dangling=only_dangling, used=used, fits=lambda _: True)
    assert found == gone.split()


def test_what_does_not_fit_the_filters_stays() -> None:
    found = unused_images(
        IMAGES, only_dangling=False, used=set(), fits=lambda image: image.id == "above"
    )
    assert found == ["above"]


def test_sizes_are_those_of_layers_in_their_stacks() -> None:
    first, second = chain_ids([LAYER, OTHER])
    assert layer_sizes([IMAGES[0], replace(IMAGES[1], layer_sizes=(1, 2))]) == {first: 1, second: 2}
