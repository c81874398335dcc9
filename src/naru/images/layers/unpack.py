"""Layers onto disk: a chain of committed snapshots, each verified while it is unpacked.

A layer that several loads and pulls want at once is unpacked by one of them; the others wait and
use it. For worker threads: everything blocks. What a kill leaves are snapshots whose key starts
with `UNPACKING`; `naru.images.recover` removes them.

Spec: image-spec v1.1, config.md §Layer ChainID.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from naru.aio import KeyedThreadLock
from naru.db.leases import Leases
from naru.errors import CorruptDataError
from naru.faults import fault_point
from naru.images.layers.apart import LARGE, apply_apart
from naru.images.layers.applying import apply_hashed
from naru.images.layers.arrival import Arrival
from naru.linux.mount import Mount
from naru.oci.digest import ChainId, DiffId
from naru.oci.image_config import chain_ids
from naru.store.snapshotter import Snapshotter
from naru.store.tar_apply import apply_at, opened
from naru.store.tar_read import Readable

UNPACKING = "unpack-"
_BEFORE_COMMIT = fault_point("images.unpack.before_commit")
_AFTER_COMMIT = fault_point("images.unpack.after_commit")


@dataclass(frozen=True, slots=True)
class LayerSource:
    """One layer to unpack: what it must turn out to be, and where its bytes are.

    `open` gives the layer as stored, compressed or not. `unpacked` is a snapshot that was made of
    it early, which saves the work if it can be used.
    """

    diff_id: DiffId
    open: Callable[[], contextlib.AbstractContextManager[Readable]]
    unpacked: Unpacking | None = None


class Unpacker:
    """Makes snapshots of layers. One per engine; any thread may call."""

    def __init__(self, snapshots: Snapshotter, leases: Leases) -> None:
        self._snapshots = snapshots
        self._leases = leases
        self._locks = KeyedThreadLock()

    def unpack(self, layers: Sequence[LayerSource], *, lease_id: str) -> list[int]:
        """Make sure that every layer of an image is a committed snapshot; return their sizes.

        Sizes are bytes on disk, lowest layer first. Idempotent. The snapshots are put under the
        lease before they are made or found; on failure those that were finished stay until the
        next collection.

        Raises:
            CorruptDataError: a layer is no tar, or another one than its diff_id says.
            InvalidInputError: a layer holds what no layer may.
            FaultError: the disk is full or fails.
        """
        chain = chain_ids([layer.diff_id for layer in layers])
        self._leases.add(lease_id, "snapshot", *chain)
        parent: ChainId | None = None
        for position, (layer, chain_id) in enumerate(zip(layers, chain, strict=True)):
            self.unpack_layer(position, layer, chain_id, parent, lease_id)
            parent = chain_id
        return [self._snapshots.usage(chain_id) for chain_id in chain]

    def unpack_layer(
        self,
        position: int,
        layer: LayerSource,
        chain_id: ChainId,
        parent: ChainId | None,
        lease_id: str,
    ) -> None:
        """Make sure of one layer; those below are there, and all are under the lease.

        Idempotent. Raises as `unpack`.
        """
        with self._locks.hold(chain_id):
            if self._snapshots.stat(chain_id) is not None:
                return
            if layer.unpacked is not None and layer.unpacked.put_on(parent):
                layer.unpacked.commit(chain_id)
                return
            with self.preparing(parent, lease_id) as unpacking:
                with layer.open() as stream, opened(unpacking.mounts) as root:
                    actual, _ = apply_hashed(stream, root)
                check_diff_id(position, layer.diff_id, actual)
                unpacking.commit(chain_id)

    def unpack_anew(
        self, layer: LayerSource, chain_id: ChainId, parent: ChainId | None, lease_id: str
    ) -> Unpacking:
        """Unpack a layer once more, beside what may be there; the caller commits or drops it.

        Raises as `unpack`.
        """
        unpacking = self._prepare(parent, lease_id)
        try:
            with layer.open() as stream, opened(unpacking.mounts) as root:
                actual, _ = apply_hashed(stream, root)
            if actual != layer.diff_id:
                raise CorruptDataError(
                    f'invalid diffID for {chain_id}: expected "{layer.diff_id}", got "{actual}"'
                )
        except BaseException:
            unpacking.drop()
            raise
        return unpacking

    @contextlib.contextmanager
    def preparing(self, parent: ChainId | None, lease_id: str) -> Iterator[Unpacking]:
        """Give an empty snapshot on `parent`, which is gone after the block unless committed."""
        unpacking = self._prepare(parent, lease_id)
        try:
            yield unpacking
        finally:
            unpacking.drop()

    def _prepare(self, parent: ChainId | None, lease_id: str) -> Unpacking:
        key = f"{UNPACKING}{secrets.token_hex(8)}"
        self._leases.add(lease_id, "snapshot", key)
        mounts = self._snapshots.prepare(key, parent)
        return Unpacking(self._snapshots, key, mounts, parent)


class Unpacking:
    """An active snapshot that a layer is being unpacked into.

    Who unpacks a layer before knowing what is below it does so without a parent, and says here
    how: `was_alone` if it was applied `alone`, `has_root` if it has a root directory of its own.
    Who knows the `size` on disk saves that it is measured.
    """

    def __init__(
        self,
        snapshots: Snapshotter,
        key: str,
        mounts: Sequence[Mount],
        parent: ChainId | None,
    ) -> None:
        self.mounts = mounts
        self.parent = parent
        self.is_committed = False
        self.was_alone = False
        self.has_root = True
        self.size: int | None = None
        self._snapshots = snapshots
        self._key = key

    def put_on(self, parent: ChainId | None) -> bool:
        """Give the snapshot its place, which it may have already; say whether that works."""
        if self.is_committed:
            return False
        if self.parent == parent:
            return True
        if self.parent is not None or not self.was_alone:
            return False
        if parent is not None:
            self._snapshots.rebase(self._key, parent, inherit_root=not self.has_root)
        return True

    def replace(self, chain_id: ChainId) -> int | None:
        """Freeze it under `chain_id`, in place of what is there; see `Snapshotter.replace`."""
        replaced = self._snapshots.replace(chain_id, self._key)
        self.is_committed = True
        return replaced

    def drop(self) -> None:
        """Remove it, unless it is committed. Idempotent."""
        if not self.is_committed:
            self._snapshots.remove(self._key)

    def commit(self, chain_id: ChainId) -> None:
        """Freeze it under `chain_id`; its bytes have been verified."""
        _BEFORE_COMMIT()
        self._snapshots.commit(chain_id, self._key, size=self.size)
        self.is_committed = True
        _AFTER_COMMIT()


def check_diff_id(position: int, expected: DiffId, actual: str) -> None:
    """Compare the digest of the plain bytes of the layer at `position` of an image.

    Raises:
        CorruptDataError: it is another one.
    """
    if actual != expected:
        raise CorruptDataError(
            f'invalid diffID for layer {position}: expected "{expected}", got "{actual}"'
        )


def apply_arriving(
    arrival: Arrival,
    unpacking: Unpacking,
    *,
    is_hashed: bool,
    expected: int = 0,
    moved: Callable[[int], object] | None = None,
) -> str:
    """Unpack a layer while it comes; return the digest of its plain bytes, if `is_hashed`.

    A layer that is not is plain, and its file never shrinks. Large ones are unpacked by a process
    of their own, which starts at once if so many bytes are `expected`. Raises as
    `naru.images.layers.apart.apply_apart`, as are `is_hashed` and `moved`.
    """
    alone = unpacking.was_alone
    if expected > LARGE or arrival.wait_beyond(LARGE) > LARGE:
        digest, applied = apply_apart(
            arrival, unpacking.mounts, alone=alone, is_hashed=is_hashed, moved=moved
        )
    else:
        with opened(unpacking.mounts, alone=alone) as root:
            stream = arrival.reader(moved)
            if is_hashed:
                digest, applied = apply_hashed(stream, root, alone=alone)
            else:
                digest, applied = "", apply_at(stream, root, alone=alone)
    unpacking.has_root = applied.has_root
    if unpacking.parent is None and not applied.has_removed:
        # On a parent, files of it may have been copied up.
        unpacking.size = applied.size
    return digest
