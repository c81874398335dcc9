"""One copy: what is sent, what is told, and who is to blame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from fakes.memory_images import Memory, image
from naru.client.copying.content import CopyFailedError, ImageContent, make_content
from naru.client.copying.transfer import Copied, blamed, transfer
from naru.errors import CorruptDataError, FaultError, UnavailableError
from naru.oci.reference import Reference


class Target:
    """Has some layers, keeps the others; may fail at any of them."""

    keeps_manifests = True

    def __init__(self, *has: int, fails: bool = False) -> None:
        self.has = has
        self.fails = fails
        self.came: dict[int, bytes] = {}
        self.name: Reference | None = None

    def missing(self, content: ImageContent) -> list[int]:
        return [n for n in range(len(content.layers)) if n not in self.has]

    def put(
        self,
        content: ImageContent,
        name: Reference | None,
        positions: Sequence[int],
        layers: Iterator[Iterator[bytes]],
    ) -> None:
        self.name = name
        for position, pieces in zip(positions, layers, strict=True):
            if self.fails:
                raise FaultError("disk full")
            self.came[position] = b"".join(pieces)


def run(source: Memory, target: Target) -> tuple[Copied, list[dict[str, Any]]]:
    records: list[dict[str, Any]] = []
    name = Reference.parse("web:1")
    copied = transfer(source, target, name, labels=("there", "here"), report=records.append)
    return copied, records


def test_only_what_is_missing_goes_and_is_told() -> None:
    target = Target(0)
    copied, records = run(image(b"one", b"three", b"two"), target)
    assert target.came == {1: b"three", 2: b"two"}
    assert target.name == Reference.parse("web:1")
    assert copied == Copied(layers=3, sent=2, sent_bytes=8)
    said = [record["status"] for record in records]
    assert said[:3] == ["Already exists", "Waiting", "Waiting"]
    assert said.count("Copied") == 2
    last = [record for record in records if record["status"] == "Copying"][-1]
    assert last["progressDetail"] == {"current": 3, "total": 3}


def test_a_layer_that_an_image_has_twice_goes_once() -> None:
    target = Target()
    copied, _ = run(image(b"one", b"two", b"one"), target)
    assert target.came == {0: b"one", 1: b"two"}
    assert copied == Copied(layers=2, sent=2, sent_bytes=6)
    # Known at one place, and not at the other.
    target = Target(0)
    run(image(b"one", b"two", b"one"), target)
    assert target.came == {1: b"two", 2: b"one"}


def test_the_end_that_failed_is_named() -> None:
    source = image(b"one", b"two")
    with pytest.raises(CopyFailedError, match=r"^here: disk full$"):
        run(source, Target(fails=True))
    source.data[1] = b"x"
    with pytest.raises(CopyFailedError, match=r"^there: layer .* only 1 came$"):
        run(source, Target())


def test_blame_is_laid_once_and_advice_kept() -> None:
    with pytest.raises(CopyFailedError) as raised, blamed("outer"), blamed("inner"):
        raise UnavailableError("gone", hint="try again")
    assert (raised.value.message, raised.value.hint) == ("inner: gone", "try again")
    with pytest.raises(CopyFailedError, match=r"^x\.tar is bad$"), blamed("outer"), blamed(""):
        raise CorruptDataError("x.tar is bad")


def test_documents_that_do_not_fit_are_no_image() -> None:
    one, other = image(b"one").content, image(b"one", b"two").content
    with pytest.raises(CorruptDataError, match="has the digest"):
        make_content(one.manifest, other.config, None, is_original=True)
