"""`image prune`, decided: which images nobody needs. Pure.

Spec: moby, daemon/images/image_prune.go.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from naru.images.catalog import Image
from naru.oci.image_config import chain_ids


def unused_images(
    images: Sequence[Image],
    *,
    only_dangling: bool,
    used: Collection[str],
    fits: Callable[[Image], bool],
) -> list[str]:
    """Return the ids of the images that go; `used` are those of which there are containers.

    With `only_dangling` that is what has no tag and nothing built on it. What has no name and
    is below others goes with the last of those.
    """
    parents = {image.parent_id for image in images}
    return [
        image.id
        for image in images
        if image.id not in used
        and fits(image)
        and not (only_dangling and (image.repo_tags or image.id in parents))
        and (image.repo_tags or image.repo_digests or image.id not in parents)
    ]


def layer_sizes(images: Iterable[Image]) -> dict[str, int]:
    """Return the bytes of every layer of these images, by its chain id."""
    return {
        chain_id: size
        for image in images
        for chain_id, size in zip(chain_ids(image.layers), image.layer_sizes, strict=False)
    }
