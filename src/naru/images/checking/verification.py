"""Every blob and every unpacked tree against what its name says, one after the other.

One reader, whatever there is to read: containers need the disk, too. A layer's blob and the tree
that was unpacked from it are compared in one reading. For a worker thread.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from naru.errors import CorruptDataError, FaultError, NotFoundError, NotSupportedError
from naru.images.checking.findings import (
    OTHER_BYTES,
    Finding,
    Inventory,
    LayerFacts,
    damaged_blob,
    of_layer,
    wanted_blobs,
)
from naru.images.layers.compression import open_plain
from naru.images.services import ImageServices
from naru.oci.digest import Digest, Hasher, algorithm_of
from naru.store.layer_check import Deviation, deviations
from naru.store.tar_read import Readable

_PIECE = 1 << 20
_SHOWN = 3
_GONE = "gone"


@dataclass(frozen=True, slots=True)
class LayerVerdict:
    """What reading a layer has told: whether its blob is whole, and how its tree deviates.

    `tree` is None where it could not be told: without a whole blob, or without a tree, or because
    of a `failure`.
    """

    blob: str
    tree: Sequence[Deviation] | None
    failure: str = ""


@dataclass(slots=True)
class Verification:
    """What was verified by one check, in several rounds if it mends.

    `read` hears of every piece of a blob with its bytes, and ends the check by an exception.
    """

    services: ImageServices
    contents: bool
    read: Callable[[int], None] = lambda _: None
    blobs: set[Digest] = field(default_factory=set)
    layers: set[str] = field(default_factory=set)

    def run(self, inventory: Inventory) -> Iterator[Finding]:
        """Verify what was not found whole before; yield what is not.

        What vanishes meanwhile was removed by somebody, and is passed over.

        """
        roles = {
            digest: role
            for image in inventory.images
            for digest, role in wanted_blobs(image).items()
        }
        judged: dict[Digest, str] = {}
        for facts in inventory.layers.values():
            if facts.chain_id not in self.layers or facts.blob.digest not in self.blobs:
                yield from self._layer(inventory, facts, judged)
        for digest in inventory.blobs:
            is_known = digest in judged or digest in self.blobs
            if not is_known and digest in inventory.reachable.blobs:
                judged[digest] = self.blob(digest)
        for digest, what in judged.items():
            if not what:
                self.blobs.add(digest)
            elif what != _GONE:
                role = roles.get(digest, "blob")
                yield damaged_blob(digest, role, what, inventory.images_of_blob(digest))

    def _layer(
        self, inventory: Inventory, facts: LayerFacts, judged: dict[Digest, str]
    ) -> Iterator[Finding]:
        before = self._number(facts)
        verdict = layer_verdict(self.services, facts, contents=self.contents, read=self.read)
        judged[facts.blob.digest] = verdict.blob
        if self._number(facts) != before:
            return
        if verdict.failure:
            yield of_layer(inventory, "layer-damaged", facts.chain_id, verdict.failure)
        elif verdict.tree:
            yield of_layer(inventory, "layer-damaged", facts.chain_id, _told(verdict.tree))
        elif verdict.tree is not None:
            self.layers.add(facts.chain_id)

    def _number(self, facts: LayerFacts) -> int:
        info = self.services.snapshots.stat(facts.chain_id)
        return info.number if info else -1

    def blob(self, digest: Digest) -> str:
        """Return what is wrong with a blob; nothing if it is whole."""
        hasher = Hasher(algorithm_of(digest))
        try:
            with self.services.content.open(digest) as stream:
                _read_from_disk(stream.fileno())
                whole = _Hashing(stream, hasher, self.read)
                while whole.read(_PIECE):
                    pass
        except NotFoundError:
            return _GONE
        except OSError as error:
            return f"cannot be read: {os.strerror(error.errno or 0).lower()}"
        return _judged(self.services, digest, hasher)


def layer_verdict(
    services: ImageServices,
    facts: LayerFacts,
    *,
    contents: bool,
    read: Callable[[int], None] = lambda _: None,
) -> LayerVerdict:
    """Read a layer once, and compare its bytes with their digest and with its unpacked tree."""
    digest = facts.blob.digest
    hasher = Hasher(algorithm_of(digest))
    found: list[Deviation] | None = None
    failure = ""
    try:
        with services.content.open(digest) as stream:
            _read_from_disk(stream.fileno())
            whole = _Hashing(stream, hasher, read)
            try:
                _, plain = open_plain(whole)
                found = _compared(services, facts, plain, contents=contents)
            except FaultError as error:
                failure = error.message
            except (NotFoundError, CorruptDataError, NotSupportedError):
                # Its digest will tell, or what is missing was told before.
                found = None
            while whole.read(_PIECE):
                pass
    except NotFoundError:
        return LayerVerdict(_GONE, None)
    except OSError as error:
        return LayerVerdict(f"cannot be read: {os.strerror(error.errno or 0).lower()}", None)
    what = _judged(services, digest, hasher)
    return LayerVerdict(what, None if what else found, "" if what else failure)


def _compared(
    services: ImageServices, facts: LayerFacts, plain: Readable, *, contents: bool
) -> list[Deviation]:
    with services.snapshots.opened(facts.chain_id) as tree:
        try:
            return deviations(plain, tree.root, tree.changes, contents=contents)
        except OSError as error:
            reason = os.strerror(error.errno or 0).lower()
            raise FaultError(f"look at layer {facts.chain_id}: {reason}") from error


def _judged(services: ImageServices, digest: Digest, hasher: Hasher) -> str:
    if hasher.digest() == digest:
        return ""
    return OTHER_BYTES if services.content.stat(digest) is not None else _GONE


def _told(tree: Sequence[Deviation]) -> str:
    shown = "; ".join(str(deviation) for deviation in tree[:_SHOWN])
    more = f"; and {len(tree) - _SHOWN} more" if len(tree) > _SHOWN else ""
    return f"{shown}{more}"


def _read_from_disk(descriptor: int) -> None:
    """Have the kernel forget what it keeps of a file: the disk is what is to be checked."""
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)


class _Hashing:
    """A stream that is hashed as it is read."""

    def __init__(self, stream: Readable, hasher: Hasher, read: Callable[[int], None]) -> None:
        self._stream = stream
        self._hasher = hasher
        self._read = read

    def read(self, count: int, /) -> bytes:
        data = self._stream.read(count)
        self._hasher.update(data)
        self._read(len(data))
        return data
