"""A layer onto a tree, compressed or not, with the digest of its plain bytes.

Knows nothing of stores and rows, so that a process with nothing else to do starts quickly: see
`naru.images.layers.apart`.
"""

from __future__ import annotations

from naru.images.layers.compression import open_plain
from naru.images.layers.pipe import Pipe, written_by
from naru.oci.digest import DiffId, Hasher
from naru.store.tar_apply import Applied, apply_at
from naru.store.tar_read import Readable

_PIECE = 256 << 10


def apply_hashed(stream: Readable, root: int, *, alone: bool = False) -> tuple[DiffId, Applied]:
    """Unpack a layer, compressed or not; return the digest of its plain bytes and what it had.

    Hashing and decompressing happen in a thread beside the one that writes files.

    Raises:
        CorruptDataError, InvalidInputError, FaultError, NeedsParentError: as
            `store.tar_apply.apply_at`, as are `root` and `alone`.
    """
    hasher = Hasher()

    def produce(pipe: Pipe) -> None:
        _, plain = open_plain(stream)
        while piece := plain.read(_PIECE):
            hasher.update(piece)
            pipe.put(piece)

    with written_by(produce, "naru-layer") as pipe:
        applied = apply_at(pipe, root, alone=alone)
    return DiffId(hasher.digest()), applied
