"""What the API says about images: list entries and inspect answers, as JSON-ready dicts.

Pure. Keys stand in the order in which Docker sends them, and each API version gets the fields
that it had. Filters and counts of containers are the engine's business.

Spec: Engine API 1.24-1.50, ImageSummary and ImageInspect, and the API's version history.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from naru.api.container_config import OPTIONAL_KEYS
from naru.errors import InvalidInputError
from naru.images.catalog import Image
from naru.oci.image_config import RunDefaults, chain_ids
from naru.units import ZERO_TIME, parse_time, print_rfc3339

ApiVersion = tuple[int, int]
_OCI_CONFIG_KEYS = (
    "User",
    "ExposedPorts",
    "Env",
    "Entrypoint",
    "Cmd",
    "Volumes",
    "WorkingDir",
    "Labels",
    "StopSignal",
    "ArgsEscaped",
    "Healthcheck",
    "OnBuild",
    "Shell",
)
_LIST_KEYS = frozenset({"Env", "Cmd", "Entrypoint", "OnBuild", "Shell"})


def list_entry(
    image: Image,
    *,
    api_version: ApiVersion,
    shared_size: int = -1,
    containers: int = -1,
) -> dict[str, Any]:
    """Return one entry of `GET /images/json`. Sizes are bytes; -1 means not computed."""
    tags, digests = list(image.repo_tags), list(image.repo_digests)
    shown_tags: list[str] | None = tags
    shown_digests: list[str] | None = digests
    if api_version < (1, 43):
        if not tags and not digests:
            shown_tags, shown_digests = ["<none>:<none>"], ["<none>@<none>"]
        shown_tags, shown_digests = shown_tags or None, shown_digests or None
    entry: dict[str, Any] = {
        "Containers": containers,
        "Created": (image.created_ns or 0) // 10**9,
        "Id": image.id,
        "Labels": image.config.config.labels,
        "ParentId": image.parent_id,
        "RepoDigests": shown_digests,
        "RepoTags": shown_tags,
        "SharedSize": shared_size,
        "Size": image.size,
    }
    if api_version < (1, 44):
        entry["VirtualSize"] = image.size
    return entry


def shared_sizes(images: Iterable[Image]) -> dict[str, int]:
    """Return, per image id, how many bytes of its layers other images have too."""
    listed = list(images)
    stacks = {image.id: chain_ids(image.layers) for image in listed}
    uses = Counter(chain for stack in stacks.values() for chain in stack)
    return {
        image.id: sum(
            size
            for chain, size in zip(stacks[image.id], image.layer_sizes, strict=False)
            if uses[chain] > 1
        )
        for image in listed
    }


def inspect_answer(
    image: Image, *, api_version: ApiVersion, graph_driver: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the answer of `GET /images/{name}/json`.

    `graph_driver` is `{"Data": …, "Name": …}` of the snapshotter.
    """
    config = image.config
    answer: dict[str, Any] = {
        "Id": image.id,
        "RepoTags": list(image.repo_tags),
        "RepoDigests": list(image.repo_digests),
        "Parent": image.parent_id,
        "Comment": config.comment or (config.history[-1].comment if config.history else ""),
    }
    if image.created or api_version < (1, 44):
        answer["Created"] = image.created or ZERO_TIME
    if api_version < (1, 45):
        answer["Container"] = config.container
        answer["ContainerConfig"] = legacy_config(config.container_config or RunDefaults())
    answer["DockerVersion"] = config.docker_version
    answer["Author"] = config.author
    answer["Config"] = (
        legacy_config(config.config) if api_version < (1, 50) else oci_config(config.config)
    )
    answer["Architecture"] = config.architecture
    if config.variant:
        answer["Variant"] = config.variant
    answer["Os"] = config.os
    if config.platform.os_version:
        answer["OsVersion"] = config.platform.os_version
    answer["Size"] = image.size
    if api_version < (1, 44):
        answer["VirtualSize"] = image.size
    answer["GraphDriver"] = dict(graph_driver)
    root: dict[str, Any] = {"Type": "layers"}
    if image.layers:
        root["Layers"] = list(image.layers)
    answer["RootFS"] = root
    answer["Metadata"] = {"LastTagTime": print_rfc3339(image.tagged_ns)}
    return answer


def legacy_config(defaults: RunDefaults) -> dict[str, Any]:
    """Return a config as Docker wrote it before API 1.50: with the fields of a container."""
    shown: dict[str, Any] = {}
    for field in msgspec.structs.fields(RunDefaults):
        value = _plain(field.encode_name, getattr(defaults, field.name))
        if value or field.encode_name not in OPTIONAL_KEYS:
            shown[field.encode_name] = value
    return shown


def oci_config(defaults: RunDefaults) -> dict[str, Any]:
    """Return a config with the image-spec's fields only, empty ones left out."""
    built = {
        field.encode_name: _plain(field.encode_name, getattr(defaults, field.name))
        for field in msgspec.structs.fields(RunDefaults)
    }
    return {key: built[key] for key in _OCI_CONFIG_KEYS if built[key]}


def _plain(key: str, value: Any) -> Any:
    if key in _LIST_KEYS and isinstance(value, str):
        return [value]
    return list(value) if isinstance(value, tuple) else msgspec.to_builtins(value)


def created_seconds(created: str) -> int:
    """Return a config's time as seconds since 1970; 0 when there is none or it is no time."""
    try:
        return parse_time(created, now_ns=0) // 10**9 if created else 0
    except InvalidInputError:
        return 0
