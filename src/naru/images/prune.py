"""`image prune`, decided: which images nobody needs, and which of their names go. Pure.

Beyond Docker, names can be chosen by patterns, and the newest tags of each repository kept.

Spec: moby, daemon/images/image_prune.go.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from naru.images.catalog import Image
from naru.images.selection import names_that_fit
from naru.oci.image_config import chain_ids
from naru.oci.reference import Reference


@dataclass(frozen=True, slots=True)
class Unused:
    """An image that nobody needs. `names`, familiar ones, are to go; without a name, it is."""

    image_id: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneRule:
    """What goes, as far as nobody needs it.

    With `only_dangling` that is what has no tag and nothing built on it. Names that fit one of
    `patterns` go, all of them if it is None, but for those that fit one of `spared`. An image
    stays with all its names if one of its tags is among the `keep` newest of a repository, of
    those that `patterns` mean. `fits` says what else counts.
    """

    only_dangling: bool
    fits: Callable[[Image], bool] = lambda _: True
    patterns: Sequence[str] | None = None
    spared: Sequence[str] = ()
    keep: int = 0

    def unused(self, images: Sequence[Image], used: Collection[str]) -> list[Unused]:
        """Return what goes; `used` are the ids of images of which there are containers.

        What has no name and is below others goes with the last of those.
        """
        parents = {image.parent_id for image in images}
        kept = self._kept(images)
        found = []
        for image in images:
            is_parent = image.id in parents
            if image.id in used or image.id in kept or not self.fits(image):
                continue
            if self.only_dangling and (image.repo_tags or is_parent):
                continue
            names = (*image.repo_tags, *image.repo_digests)
            meant = self._meant(names)
            if meant or not (names or is_parent or self.patterns is not None):
                found.append(Unused(image.id, meant))
        return found

    def _meant(self, names: Sequence[str]) -> tuple[str, ...]:
        meant = tuple(names)
        if self.patterns is not None:
            meant = names_that_fit(meant, self.patterns)
        spared = names_that_fit(meant, self.spared)
        return tuple(name for name in meant if name not in spared)

    def _kept(self, images: Sequence[Image]) -> set[str]:
        if not self.keep:
            return set()
        repositories: dict[str, list[str]] = {}
        for image in sorted(images, key=lambda image: image.age_key, reverse=True):
            tags = image.repo_tags
            if self.patterns is not None:
                tags = names_that_fit(tags, self.patterns)
            for tag in tags:
                repositories.setdefault(Reference.parse(tag).name, []).append(image.id)
        return {image_id for ids in repositories.values() for image_id in ids[: self.keep]}


def layer_sizes(images: Iterable[Image]) -> dict[str, int]:
    """Return the bytes of every layer of these images, by its chain id."""
    return {
        chain_id: size
        for image in images
        for chain_id, size in zip(chain_ids(image.layers), image.layer_sizes, strict=False)
    }
