"""Which images a list shows, and under which names."""

from __future__ import annotations

import pytest

from naru.api.filters import Filters
from naru.images.catalog import Image
from naru.images.selection import Selection
from naru.oci.digest import Digest
from naru.oci.image_config import RunDefaults, build_image_config
from naru.oci.platform import host_platform

DIGEST = f"sha256:{'d' * 64}"
SECOND = 10**9


def image(
    name: str,
    *tags: str,
    parent: str = "",
    digests: tuple[str, ...] = (),
    created: str = "",
    labels: dict[str, str] | None = None,
) -> Image:
    config = build_image_config(
        platform=host_platform(), diff_ids=[], config=RunDefaults(labels=labels)
    )
    return Image(
        id=name,
        manifest_digest=Digest(""),
        repo_tags=tags,
        repo_digests=digests,
        size=0,
        layer_sizes=(),
        created=created,
        config=config,
        chain_id=None,
        parent_id=parent,
        tagged_ns=0,
    )


IMAGES = [
    image("top", parent="middle", created="1970-01-01T00:00:03.5Z"),
    image("middle", parent="base", created="1970-01-01T00:00:03.25Z", labels={"k": "v"}),
    image("base", "base:1", "team/base:2", created="1970-01-01T00:00:03Z", labels={"k": "w"}),
    image("pulled", digests=(f"base@{DIGEST}",), created="1970-01-01T00:00:02+00:00"),
    image("timeless", "t:1"),
]


ANY = Filters()


def shown(selection: Selection) -> dict[str, list[str]]:
    return {each.id: [*each.repo_tags, *each.repo_digests] for each in selection.of(IMAGES)}


@pytest.mark.parametrize(
    ("asked", "ids"),
    [
        (Selection(ANY), "top base pulled timeless"),
        (Selection(ANY, all=True), "top middle base pulled timeless"),
        (Selection(ANY, is_dangling=True), "top pulled"),
        (Selection(ANY, is_dangling=True, all=True), "top pulled"),
        (Selection(ANY, is_dangling=False), "base pulled timeless"),
        (Selection(ANY, before=[3_250_000_000], all=True), "base pulled"),
        (Selection(ANY, since=[3 * SECOND], all=True), "top middle"),
        (Selection(ANY, since=[2 * SECOND], before=[3_500_000_000], all=True), "middle base"),
        (Selection(ANY, before=[9 * SECOND, 3 * SECOND]), "pulled"),
        (Selection(Filters({"label": ["k"]}), all=True), "middle base"),
        (Selection(Filters({"label": ["k=w"]}), all=True), "base"),
        (Selection(Filters({"label": ["k=w", "k=v"]}), all=True), ""),
    ],
)
def test_images_are_chosen_as_in_docker(asked: Selection, ids: str) -> None:
    assert list(shown(asked)) == ids.split()


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["base"], {"base": ["base:1"], "pulled": [f"base@{DIGEST}"]}),
        (["base:1", "*/base"], {"base": ["base:1", "team/base:2"]}),
        (["*:2"], {}),
        ([], {}),
    ],
)
def test_only_names_that_fit_are_shown(patterns: list[str], names: dict[str, list[str]]) -> None:
    assert shown(Selection(ANY, patterns=patterns)) == names
    assert shown(Selection(ANY, patterns=patterns, all=True)) == names
