"""Where the file system of a container or an image is on the host, as inspect tells it.

Spec: Engine API 1.50, definition DriverData; the keys are those of Docker's overlay2 driver.
"""

from __future__ import annotations

from naru.engine.context import EngineContext
from naru.engine.model import Container, Json
from naru.errors import NotFoundError
from naru.oci.digest import ChainId
from naru.runtime import bundle as bundles

_KEYS = {"lowerdir": "LowerDir", "upperdir": "UpperDir", "workdir": "WorkDir"}


def graph_driver_view(ctx: EngineContext, container: Container) -> Json:
    """Return `GraphDriver`: the layers by their paths, where layers are what the driver has.

    `MergedDir` is there while the container runs, as in Docker.
    """
    view: Json = {"Name": ctx.config.storage_driver, "Data": None}
    if container.layer_paths is None or container.layer_paths[0] != container.layer:
        try:
            container.layer_paths = (container.layer, _layer_paths(ctx, container))
        except NotFoundError:
            return view  # The container is on its way out.
    if paths := container.layer_paths[1]:
        merged = bundles.existing(ctx.config.exec_root, container.id).rootfs
        view["Data"] = {**paths, "MergedDir": str(merged)}
    return view


def image_graph_driver(ctx: EngineContext, chain_id: ChainId | None) -> Json:
    """Return `GraphDriver` of an image: its layers by their paths.

    As in Docker, all keys are there, though nobody mounts an image: `MergedDir` and `WorkDir`
    do not exist.
    """
    view: Json = {"Name": ctx.config.storage_driver, "Data": None}
    try:
        trees = ctx.images.snapshots.layer_trees(chain_id)
    except NotFoundError:
        return view  # The image is on its way out.
    if trees:
        top, *below = trees
        lower = {"LowerDir": ":".join(map(str, below))} if below else {}
        siblings = {"MergedDir": str(top.parent / "merged"), "WorkDir": str(top.parent / "work")}
        view["Data"] = {**lower, **siblings, "UpperDir": str(top)}
    return view


def _layer_paths(ctx: EngineContext, container: Container) -> dict[str, str]:
    found = {}
    for mount in ctx.images.snapshots.mounts(container.layer):
        if mount.type == "overlay":
            options = dict(_pair(word) for word in mount.data.split(","))
            found = {_KEYS[name]: path for name, path in options.items() if name in _KEYS}
    return found


def _pair(option: str) -> tuple[str, str]:
    name, _, value = option.partition("=")
    return name, value
