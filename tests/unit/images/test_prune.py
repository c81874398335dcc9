"""Which images nobody needs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from naru.images.catalog import Image
from naru.images.prune import PruneRule, Unused, layer_sizes
from naru.oci.digest import DiffId, Digest, digest_bytes
from naru.oci.image_config import build_image_config, chain_ids
from naru.oci.platform import host_platform

LAYER = DiffId(digest_bytes(b"layer"))
DIGEST = "sha256:" + "d" * 64
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
    image("pulled", digests=(f"x@{DIGEST}",)),
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
    found = PruneRule(only_dangling=only_dangling).unused(IMAGES, used)
    assert [each.image_id for each in found] == gone.split()


def test_what_does_not_fit_the_filters_stays() -> None:
    rule = PruneRule(only_dangling=False, fits=lambda image: image.id == "above")
    assert rule.unused(IMAGES, set()) == [Unused("above", ("a:1",))]


@pytest.mark.parametrize(
    ("patterns", "spared", "gone"),
    [
        (["app"], [], {"old": "app:1", "new": "app:2", "pulled": f"app@{DIGEST}"}),
        (["app:1"], [], {"old": "app:1"}),
        (["*:1", "*/*:1"], [], {"old": "app:1 team/app:1"}),
        (["team/*"], [], {"old": "team/app:1"}),
        (["nothing"], [], {}),
        ([], [], {}),
        (None, ["team/*"], {"old": "app:1", "new": "app:2", "pulled": f"app@{DIGEST}", "x": ""}),
        (["app"], ["app:2", "app@*"], {"old": "app:1"}),
    ],
)
def test_only_names_that_are_meant_go(
    patterns: list[str] | None, spared: list[str], gone: dict[str, str]
) -> None:
    images = [
        image("old", "app:1", "team/app:1"),
        image("new", "app:2"),
        image("pulled", digests=(f"app@{DIGEST}",)),
        image("x"),
    ]
    rule = PruneRule(only_dangling=False, patterns=patterns, spared=spared)
    found = {each.image_id: " ".join(each.names) for each in rule.unused(images, set())}
    assert found == gone


def _aged(name: str, day: int, *tags: str, tagged_ns: int = 0) -> Image:
    created = f"2024-01-{day:02}T00:00:00Z"
    return replace(image(name, *tags), created=created, tagged_ns=tagged_ns)


@pytest.mark.parametrize(
    ("keep", "patterns", "used", "gone"),
    [
        (1, None, set(), "c a other-old nameless"),
        # An image with two of the newest tags has both of them counted.
        (2, None, set(), "c a nameless"),
        (9, None, set(), "nameless"),
        (1, ["app:[a-c]"], set(), "a b"),
        (1, None, {"a"}, "c other-old nameless"),
    ],
)
def test_the_newest_tags_of_each_repository_stay(
    keep: int, patterns: list[str] | None, used: set[str], gone: str
) -> None:
    images = [
        _aged("c", 3, "app:c"),
        _aged("a", 1, "app:a"),
        _aged("d", 4, "app:d", "app:latest"),
        _aged("b", 2, "app:b", "other/app:b"),
        _aged("other-old", 1, "other/app:a"),
        _aged("nameless", 9),
    ]
    rule = PruneRule(only_dangling=False, patterns=patterns, keep=keep)
    found = [each.image_id for each in rule.unused(images, used)]
    assert found == gone.split()


def test_of_images_of_the_same_moment_those_tagged_last_are_kept() -> None:
    images = [_aged("one", 1, "app:1", tagged_ns=2), _aged("two", 1, "app:2", tagged_ns=1)]
    rule = PruneRule(only_dangling=False, keep=1)
    assert rule.unused(images, set()) == [Unused("two", ("app:2",))]


def test_sizes_are_those_of_layers_in_their_stacks() -> None:
    first, second = chain_ids([LAYER, OTHER])
    assert layer_sizes([IMAGES[0], replace(IMAGES[1], layer_sizes=(1, 2))]) == {first: 1, second: 2}
