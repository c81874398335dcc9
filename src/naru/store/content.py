"""Blobs by digest, laid out as an OCI image layout, so that other tools can read them.

Owns the directory given to it: `oci-layout`, `index.json`, `blobs/<algorithm>/<hex>`, and beside
what the layout asks for, `ingest/` (writes in progress) and `trash/` (blobs on their way out).
Knows nothing of names or images. Safe from many threads; not from two processes.

Spec: image-spec v1.1, image-layout.md.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from naru.errors import CorruptDataError, NotFoundError, UnavailableError
from naru.linux import fs
from naru.oci.digest import (
    HEX_LENGTHS,
    Digest,
    algorithm_of,
    digest_bytes,
    hex_of,
    is_digest,
    parse_digest,
)
from naru.oci.manifest import Index, build_index
from naru.store.ingest import Ingest, directory_name, read_key
from naru.store.scratch import Scratch

_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'


def damaged_content(digest: Digest) -> CorruptDataError:
    """Return what to raise where a stored blob holds other bytes than its digest says."""
    return CorruptDataError(
        f"content {digest}: the stored bytes have another digest",
        hint="'naru system check --repair' repairs what can be repaired",
    )


class ContentStore:
    """The blobs below one directory."""

    def __init__(self, root: Path) -> None:
        """Open the store at `root`, making it if need be."""
        self.root = root
        self._ingests = root / "ingest"
        self._trash = root / "trash"
        self._open_keys: set[str] = set()
        self._lock = threading.Lock()
        for directory in (*self._blob_directories(), self._ingests, self._trash):
            directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        if not (root / "oci-layout").exists():
            fs.write_atomic(root / "oci-layout", _LAYOUT)
        if not (root / "index.json").exists():
            self.write_index(build_index(()))

    def _blob_directories(self) -> list[Path]:
        return [self.root / "blobs" / algorithm for algorithm in HEX_LENGTHS]

    def path(self, digest: Digest) -> Path:
        """Return where the blob is, or would be. It is immutable: never write to it.

        Raises:
            InvalidInputError: `digest` is none; nothing else can lead out of the store.
        """
        checked = parse_digest(digest)
        return self.root / "blobs" / algorithm_of(checked) / hex_of(checked)

    def open(self, digest: Digest) -> BinaryIO:
        """Open a blob for reading, unverified and unbuffered; it stays readable when deleted.

        Raises:
            NotFoundError: no such blob.
        """
        try:
            return open(self.path(digest), "rb", buffering=0)
        except FileNotFoundError:
            raise NotFoundError(f"content {digest}: not found") from None

    def read(self, digest: Digest, limit: int) -> bytes:
        """Return a small blob, verified; `limit` bounds its size in bytes.

        Raises:
            NotFoundError: no such blob.
            CorruptDataError: larger than `limit`, or the disk holds other bytes.
        """
        with self.open(digest) as stream:
            size = os.fstat(stream.fileno()).st_size
            if size > limit:
                raise CorruptDataError(f"content {digest}: {size} bytes, at most {limit} expected")
            data = b""
            while piece := stream.read(limit + 1 - len(data)):
                data += piece
        if digest_bytes(data, algorithm_of(digest)) != digest:
            raise damaged_content(digest)
        return data

    def stat(self, digest: Digest) -> int | None:
        """Return the size of a blob in bytes; None if it is not there."""
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError:
            return None

    def mark(self, digest: Digest) -> tuple[int, int] | None:
        """Return what tells a blob from one with the same bytes that was here before or after."""
        try:
            status = self.path(digest).stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_ctime_ns

    def walk(self) -> Iterator[tuple[Digest, int]]:
        """Go through all blobs as (digest, size), in no order."""
        for directory in self._blob_directories():
            for entry in os.scandir(directory):
                digest = Digest(f"{directory.name}:{entry.name}")
                with contextlib.suppress(FileNotFoundError):
                    if is_digest(digest):
                        yield digest, entry.stat().st_size

    def delete(self, digest: Digest) -> bool:
        """Delete a blob; say whether it was there. Idempotent."""
        try:
            self.path(digest).unlink()
        except FileNotFoundError:
            return False
        return True

    def discard(self, digest: Digest) -> bool:
        """Take a blob out of the store, and leave freeing its space to `empty_trash`.

        Takes microseconds however big the blob is. Says whether it was there.
        """
        try:
            self.path(digest).rename(self._trash / hex_of(digest))
        except FileNotFoundError:
            return False
        return True

    def empty_trash(self, digests: Iterable[Digest]) -> None:
        """Free the space of blobs that were discarded. Idempotent.

        Only of these: somebody else may be in the middle of discarding others.
        """
        for digest in digests:
            (self._trash / hex_of(digest)).unlink(missing_ok=True)

    def restore_trash(self) -> None:
        """Put all discarded blobs back that are still there. Idempotent.

        After a power cut the database may not know any more why they went.
        """
        algorithms = {length: algorithm for algorithm, length in HEX_LENGTHS.items()}
        for entry in list(os.scandir(self._trash)):
            algorithm = algorithms.get(len(entry.name))
            if algorithm is None:
                fs.remove_tree(Path(entry.path))
            else:
                os.rename(entry.path, self.root / "blobs" / algorithm / entry.name)

    def add(self, data: bytes, *, anew: bool = False, durable: bool = True) -> Digest:
        """Store bytes at hand: a manifest or a config. Atomic, durable, idempotent.

        With `anew` they also take the place of a damaged blob that has as many. For `durable`
        see `ingest`.
        """
        digest = digest_bytes(data)
        if anew or self.stat(digest) != len(data):
            key = f"add-{digest}-{threading.get_ident()}"
            with self.ingest(key, expected_digest=digest, durable=durable) as it:
                it.restart()
                it.write(data)
                it.commit()
        return digest

    def ingest(
        self,
        key: str,
        *,
        expected_digest: Digest | None = None,
        expected_size: int | None = None,
        durable: bool = True,
    ) -> Ingest:
        """Begin to write a blob, or go on where an earlier writer with this `key` stopped.

        If it is not `durable`, a power cut may leave something else under the blob's name, which
        is for the caller to note: see `naru.store.unsettled`.

        Bytes that are there already are hashed again: 0.4 s for 100 MB.

        Raises:
            UnavailableError: `key` is being written right now.
            FaultError: the disk is full or fails.
        """
        if expected_digest is not None:
            parse_digest(expected_digest)
        with self._lock:
            if key in self._open_keys:
                raise UnavailableError(f"ingest {key} is being written")
            self._open_keys.add(key)
        return Ingest(
            self._ingest_directory(key),
            key,
            place=self.path,
            on_close=lambda: self._closed(key),
            expected_digest=expected_digest,
            expected_size=expected_size,
            durable=durable,
        )

    def scratch(self) -> Scratch:
        """Return a file for bytes that the store is not to keep. Close it.

        Raises:
            FaultError: the disk fails.
        """
        return Scratch(self._ingests)

    def _closed(self, key: str) -> None:
        with self._lock:
            self._open_keys.discard(key)

    def _ingest_directory(self, key: str) -> Path:
        return self._ingests / directory_name(key)

    def ingests(self) -> list[tuple[str, int]]:
        """Return key and bytes so far of every write in progress or left behind."""
        found = []
        for entry in os.scandir(self._ingests):
            key = read_key(Path(entry.path))
            if key is not None:
                with contextlib.suppress(FileNotFoundError):
                    found.append((key, (Path(entry.path) / "data").stat().st_size))
        return found

    def abort_ingest(self, key: str) -> bool:
        """Delete what a writer left behind; False if it is being written right now."""
        with self._lock:
            if key in self._open_keys:
                return False
            fs.remove_tree(self._ingest_directory(key))
        return True

    def repair(self) -> list[str]:
        """Remove what a killed process left half done; call before the first ingest.

        Ingests that can be resumed stay, and blobs that were discarded are back, for the next
        collection to decide upon. Returns what was done, in words for the log.
        """
        done = []
        for entry in list(os.scandir(self._ingests)):
            if read_key(Path(entry.path)) is None:
                fs.remove_tree(Path(entry.path))
                done.append(f"removed the finished ingest {entry.name}")
        for entry in list(os.scandir(self.root)):
            if entry.name.startswith((".index.json.", ".oci-layout.")):
                fs.remove_tree(Path(entry.path))
                done.append(f"removed the unfinished file {entry.name}")
        self.restore_trash()
        return done

    def read_index(self) -> bytes:
        """Return `index.json` as it is.

        Raises:
            OSError: it cannot be read.
        """
        return (self.root / "index.json").read_bytes()

    def write_index(self, index: Index) -> None:
        """Replace `index.json`, the layout's list of images, atomically.

        What a power cut leaves of it may be older, or nothing: it is for those who look at the
        store from outside, and every start writes it anew.
        """
        fs.write_atomic(self.root / "index.json", index.raw)
