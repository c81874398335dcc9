"""Archives of Docker before 1.10: a folder for each layer with a config of its own, and names.

The config of an image of today is made of them as Docker made it, so that the image has the same
id wherever such an archive is loaded. Pure.

Spec: moby, image/spec/v1.md §Combined Image JSON + Filesystem Changeset Format, and
image/tarexport/load.go, legacyLoad, as of 20.10.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from naru import untrusted_json
from naru.errors import CorruptDataError, InvalidInputError
from naru.images.archives.archive import Archive
from naru.images.layer_intake import StoredLayer
from naru.oci.image_config import ImageConfig, parse_image_config
from naru.oci.reference import Reference

T = TypeVar("T")

REPOSITORIES = "repositories"
_MAX_LAYERS = 500
# What a layer's own config says of its place and the image's does not repeat.
_DROPPED = ("id", "parent", "Size", "parent_id", "layer_id", "throwaway")


@dataclass(frozen=True, slots=True)
class LegacyImage:
    """An image as today's: its config, its layers from the lowest up, and its names."""

    config: ImageConfig
    layers: tuple[StoredLayer, ...]
    tags: tuple[Reference, ...]


class _Command(msgspec.Struct):
    cmd: list[str] | str | None = msgspec.field(default=None, name="Cmd")


class _Step(msgspec.Struct):
    parent: str = ""
    created: str = "0001-01-01T00:00:00Z"
    author: str = ""
    comment: str = ""
    container_config: _Command | None = None


def legacy_images(archive: Archive) -> list[LegacyImage]:
    """Return the images that `repositories` names.

    Raises:
        InvalidInputError: it names none, or something in it is missing.
        CorruptDataError: a document that cannot be read, or layers that have no end.
    """
    repositories = _decode(archive, REPOSITORIES, dict[str, dict[str, str]])
    tags: dict[str, list[Reference]] = {}
    for name, by_tag in repositories.items():
        for tag, layer_id in by_tag.items():
            tags.setdefault(layer_id, []).append(Reference.parse(f"{name}:{tag}"))
    if not tags:
        raise InvalidInputError(f"invalid archive: {REPOSITORIES} names no image")
    return [_image(archive, layer_id, tuple(names)) for layer_id, names in tags.items()]


def _image(archive: Archive, layer_id: str, tags: tuple[Reference, ...]) -> LegacyImage:
    above = _decode(archive, f"{layer_id}/json", dict[str, msgspec.Raw])
    steps: list[_Step] = []
    layers: list[StoredLayer] = []
    while layer_id:
        if len(steps) == _MAX_LAYERS:
            raise CorruptDataError(f"{layer_id}: more than {_MAX_LAYERS} layers, or a circle")
        steps.insert(0, _decode(archive, f"{layer_id}/json", _Step))
        layers.insert(0, archive.layer(f"{layer_id}/layer.tar"))
        layer_id = steps[0].parent
    if any(not layer.diff_id for layer in layers):
        raise InvalidInputError(f"{tags[0]}: compressed layers in an archive of before Docker 1.10")
    diff_ids = [layer.diff_id for layer in layers]
    added = {
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [_history(step) for step in steps],
    }
    config = parse_image_config(_config(above, added))
    return LegacyImage(config, tuple(layers), tags)


def _config(above: Mapping[str, msgspec.Raw], added: Mapping[str, object]) -> bytes:
    """Return the document as Docker writes it: keys in order, values as they came."""
    kept = {key: bytes(value) for key, value in above.items() if key not in _DROPPED}
    kept |= {key: _as_go(msgspec.json.encode(value)) for key, value in added.items()}
    pairs = (msgspec.json.encode(key) + b":" + kept[key] for key in sorted(kept))
    return b"{" + b",".join(pairs) + b"}"


def _as_go(document: bytes) -> bytes:
    """Escape what Go's encoder escapes, and only within strings do these characters stand."""
    for character in (b"<", b">", b"&"):
        document = document.replace(character, b"\\u%04x" % ord(character))
    return document


def _history(step: _Step) -> dict[str, str]:
    command = step.container_config.cmd if step.container_config else None
    words = [command] if isinstance(command, str) else command or []
    told = {
        "author": step.author,
        "created_by": " ".join(words),
        "comment": step.comment,
    }
    return {"created": step.created, **{key: value for key, value in told.items() if value}}


def _decode(archive: Archive, name: str, kind: type[T]) -> T:
    try:
        return untrusted_json.decode(archive.document(name), type=kind)
    except msgspec.MsgspecError as error:
        raise CorruptDataError(f"{name}: {error}") from error
