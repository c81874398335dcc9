"""Which images a list shows, and under which of their names. Pure.

Spec: moby, daemon/images/images.go, Images; Engine API 1.50, ImageList.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from naru.api.filters import Filters
from naru.images.catalog import Image
from naru.oci.reference import Reference
from naru.oci.reference_pattern import check_pattern, fits

FILTERS = frozenset("before dangling label reference since until".split())


@dataclass(frozen=True, slots=True)
class Selection:
    """What is asked for. Of moments, in nanoseconds since 1970, all count.

    `is_dangling` is None where nobody asks; of `labels` the filter `label` counts.
    """

    labels: Filters
    all: bool = False
    before: Sequence[int] = ()
    since: Sequence[int] = ()
    patterns: Sequence[str] | None = None
    is_dangling: bool | None = None

    def of(self, images: Sequence[Image]) -> Iterator[Image]:
        """Yield the images that are meant, in their order, each with the names that are meant.

        Only names that fit one of the patterns are shown, unless there are None. What has no
        name is shown unless others are built on it; with `all` then, too.
        """
        parents = {image.parent_id for image in images}
        for image in images:
            is_parent = image.id in parents
            if self.is_dangling and is_parent:
                continue
            if not (self._is_of_the_time(image) and self._has_labels(image)):
                continue
            shown = self._named(image)
            if shown.repo_tags or shown.repo_digests:
                fits_names = not (self.is_dangling and shown.repo_tags)
            else:
                is_wanted = self.is_dangling is not False and self.patterns is None
                fits_names = is_wanted and (self.all or not is_parent)
            if fits_names:
                yield shown

    def _is_of_the_time(self, image: Image) -> bool:
        created = image.created_ns
        if created is None:
            # What does not say when it was made is neither before nor after anything.
            return not self.before and not self.since
        return all(created < moment for moment in self.before) and all(
            created > moment for moment in self.since
        )

    def _has_labels(self, image: Image) -> bool:
        return self.labels.matches_labels("label", image.config.config.labels or {})

    def _named(self, image: Image) -> Image:
        if self.patterns is None:
            return image
        return replace(
            image,
            repo_tags=names_that_fit(image.repo_tags, self.patterns),
            repo_digests=names_that_fit(image.repo_digests, self.patterns),
        )


def names_that_fit(names: Sequence[str], patterns: Sequence[str]) -> tuple[str, ...]:
    """Return the familiar names that are what one of the patterns means.

    Raises:
        InvalidInputError: a pattern is none.
    """
    for pattern in patterns:
        check_pattern(pattern)
    return tuple(
        name for name in names if any(fits(Reference.parse(name), pattern) for pattern in patterns)
    )
