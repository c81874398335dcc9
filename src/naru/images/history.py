"""`docker history`: how an image came to be, newest step first, as JSON-ready dicts."""

from __future__ import annotations

from typing import Any

from naru.images.catalog import Catalog, Image
from naru.images.views import created_seconds


def history(catalog: Catalog, image: Image) -> list[dict[str, Any]]:
    """Return the answer of `GET /images/{name}/history`.

    The steps come from the config; each step that made a layer takes the next layer's size.
    Images of earlier steps are named as far as they are still here, else `<missing>`.

    Spec: Engine API 1.50, HistoryResponseItem; moby, daemon/images/image_history.go.
    """
    sizes = list(image.layer_sizes)
    entries: list[dict[str, Any]] = []
    for step in image.config.history:
        size = 0 if step.empty_layer or not sizes else sizes.pop(0)
        entries.append(
            {
                "Comment": step.comment,
                "Created": created_seconds(step.created or ""),
                "CreatedBy": step.created_by,
                "Id": "<missing>",
                "Size": size,
                "Tags": None,
            }
        )
    entries.reverse()
    _name_images(catalog, image, entries)
    return entries


def _name_images(catalog: Catalog, image: Image, entries: list[dict[str, Any]]) -> None:
    current: Image | None = image
    for entry in entries:
        if current is None:
            return
        entry["Id"] = current.id
        entry["Tags"] = list(current.repo_tags) or None
        current = catalog.get(current.parent_id) if current.parent_id else None
