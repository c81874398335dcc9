"""`--cache-from`: images whose steps count as done, when a build repeats them.

An image from elsewhere has no steps of ours, but a history: as long as the build does what that
says, on the same layers, its layers are taken.

Spec: moby, image/cache/cache.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from naru.errors import NaruError
from naru.images.catalog import Image
from naru.images.commit import CommittedLayer, NewImage, store_image, stored_layers
from naru.images.services import ImageServices
from naru.oci.image_config import chain_ids
from naru.units import parse_time


class CacheSources:
    """The images that a build may take steps from."""

    def __init__(self, services: ImageServices, names: Sequence[str]) -> None:
        """Look the images up; those that are not here count for nothing, as in Docker."""
        self._services = services
        self.is_empty = not names
        self._images: list[Image] = []
        for name in names:
            try:
                self._images.append(services.catalog.resolve(name))
            except NaruError:
                continue

    def lead_to(self, image: Image) -> bool:
        """Say whether one of the sources is this image, or was built on it."""
        catalog = self._services.catalog
        for source in self._images:
            above: Image | None = source
            while above is not None:
                if above.id == image.id:
                    return True
                above = catalog.get(above.parent_id) if above.parent_id else None
        return False

    def restored(self, parent: Image | None, new: NewImage, lease_id: str) -> Image | None:
        """Return the image that a step comes to by the history of a source; None if none fits.

        For worker threads: an image that is not here yet is made from the source's layers.

        Raises:
            FaultError: the disk is full or fails.
        """
        for source in self._images:
            if not _continues(source, parent, new.created_by):
                continue
            if len(source.config.history) == _length(parent) + 1:
                return self._adopted(source, parent)
            return self._restore(source, parent, new, lease_id)
        return None

    def _adopted(self, source: Image, parent: Image | None) -> Image | None:
        """Give a source the parent that this build has found for it, unless it has one."""
        services = self._services
        if parent is not None and not source.parent_id:
            row = services.rows.get(source.id)
            if row is not None:
                services.rows.put(replace(row, parent_id=parent.id))
        return services.catalog.get(source.id)

    def _restore(
        self, source: Image, parent: Image | None, new: NewImage, lease_id: str
    ) -> Image | None:
        services = self._services
        step = source.config.history[_length(parent)]
        layer = None
        if not step.empty_layer:
            position = len(parent.layers) if parent else 0
            layer = CommittedLayer(
                stored=stored_layers(services, source)[position],
                chain_id=chain_ids(source.layers)[position],
                size=source.layer_sizes[position],
            )
        created_ns = parse_time(step.created, now_ns=0) if step.created else None
        restored = NewImage(
            parent=parent,
            config=new.config,
            created_by=step.created_by,
            author=step.author,
            comment=step.comment,
            created_ns=created_ns,
            platform=new.platform,
            container_config=new.container_config,
        )
        return services.catalog.get(store_image(services, restored, layer, lease_id))


def _length(image: Image | None) -> int:
    return len(image.config.history) if image else 0


def _continues(source: Image, parent: Image | None, created_by: str) -> bool:
    """Say whether a source has the steps and layers of `parent`, and then the one in question."""
    length = _length(parent)
    history = source.config.history
    if length >= len(history) or history[length].created_by != created_by:
        return False
    if parent is None:
        return True
    return (
        history[:length] == parent.config.history
        and source.layers[: len(parent.layers)] == parent.layers
    )
