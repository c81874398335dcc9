"""One copy: what is missing is asked for, sent, and told of on the way."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass

from naru.client.copying.content import CopyFailedError
from naru.errors import NaruError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from naru.client.copying.content import ImageContent, Pieces, Source, Target
    from naru.oci.descriptor import Descriptor
    from naru.oci.reference import Reference

    Report = Callable[[dict[str, Any]], object]

_INTERVAL_S = 0.1
_SHORT = 12


@dataclass(frozen=True)
class Copied:
    """What a copy came to: how many of an image's layers went, and their bytes."""

    layers: int
    sent: int
    sent_bytes: int


def transfer(
    source: Source,
    target: Target,
    name: Reference | None,
    *,
    labels: tuple[str, str],
    report: Report,
) -> Copied:
    """Copy the image of `source` to `target`, where it is called `name`.

    Layers that the target has are not sent. `labels` name the two ends in errors; `report` hears
    records as of a pull.

    Raises:
        CopyFailedError: one of the ends failed, and which.
    """
    content = source.content
    with blamed(labels[1]):
        missing = _once_each(content, target.missing(content))
    going = {content.layers[position].digest for position in missing}
    for layer in _different(content.layers):
        words = "Waiting" if layer.digest in going else "Already exists"
        report({"status": words, "progressDetail": {}, "id": _short(layer)})
    layers = _told(source.layers(missing), content, missing, labels[0], report)
    with blamed(labels[1]):
        target.put(content, name, missing, layers)
    return Copied(
        layers=len(_different(content.layers)),
        sent=len(missing),
        sent_bytes=sum(content.layers[position].size for position in missing),
    )


def _different(layers: Sequence[Descriptor]) -> list[Descriptor]:
    return list({layer.digest: layer for layer in layers}.values())


def _once_each(content: ImageContent, positions: Sequence[int]) -> list[int]:
    """Leave out positions of layers that the image has twice."""
    first = {content.layers[position].digest: position for position in reversed(positions)}
    return sorted(first.values())


def _told(
    layers: Iterator[Pieces],
    content: ImageContent,
    positions: Sequence[int],
    label: str,
    report: Report,
) -> Iterator[Pieces]:
    with blamed(label):
        for position, pieces in zip(positions, layers, strict=True):
            yield _counted(pieces, content.layers[position], label, report)


def _counted(pieces: Pieces, layer: Descriptor, label: str, report: Report) -> Pieces:
    current, next_at = 0, 0.0
    with blamed(label):
        for piece in pieces:
            yield piece
            current += len(piece)
            if current == layer.size or time.monotonic() >= next_at:
                next_at = time.monotonic() + _INTERVAL_S
                detail = {"current": current, "total": layer.size}
                report({"status": "Copying", "progressDetail": detail, "id": _short(layer)})
    report({"status": "Copied", "progressDetail": {}, "id": _short(layer)})


@contextmanager
def blamed(label: str) -> Iterator[None]:
    """Name the end at which something failed, unless it is known already.

    Raises:
        CopyFailedError: in place of any other failure; with an empty label, as it is.
    """
    try:
        yield
    except CopyFailedError as error:
        if error.is_blamed:
            raise
        raise _failure(label, error) from error
    except NaruError as error:
        raise _failure(label, error) from error


def _failure(label: str, error: NaruError) -> CopyFailedError:
    message = f"{label}: {error.message}" if label else error.message
    failure = CopyFailedError(message, hint=error.hint)
    failure.is_blamed = True
    return failure


def _short(layer: Descriptor) -> str:
    return layer.digest.partition(":")[2][:_SHORT]
