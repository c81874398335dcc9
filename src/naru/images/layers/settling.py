"""Unpacked layers and loaded blobs onto the disk, some seconds after they were committed.

To write each file of a layer to the disk before saying that it is there would double the time of
a pull. So a layer is noted as unsettled with its commit, in the same transaction; this writes the
whole filesystem to the disk soon after, in one go, and takes the note away. What a power cut
finds unsettled is compared with its blob by the next start: see `naru.images.recover`. The blobs
of loads, which their users have in an archive, too, are treated alike.
"""

from __future__ import annotations

import logging
import threading

from naru.errors import NaruError
from naru.store.snapshotter import Snapshotter
from naru.store.unsettled import UnsettledBlobs

# Long enough for all layers of a pull to go in one, and less than the kernel takes by itself.
DELAY_S = 3.0
_log = logging.getLogger(__name__)


class Settling:
    """Settles what is committed. One per engine; its thread sleeps while nothing is."""

    def __init__(
        self, snapshots: Snapshotter, blobs: UnsettledBlobs, *, delay_s: float = DELAY_S
    ) -> None:
        self._snapshots = snapshots
        self._blobs = blobs
        self._delay_s = delay_s
        self._is_due = threading.Event()
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, with what an earlier engine left unsettled."""
        self._snapshots.on_commit = self._blobs.on_add = self._is_due.set
        if self._snapshots.unsettled(before_boot=False) or self._blobs.noted(before_boot=False):
            self._is_due.set()
        self._thread = threading.Thread(target=self._run, name="naru-settling", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop; what is not settled is the next engine's. Idempotent."""
        self._is_over.set()
        self._is_due.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while self._is_due.wait():
            if self._is_over.wait(self._delay_s):
                return
            # What is committed from here on is for the next time.
            self._is_due.clear()
            try:
                self._blobs.settle()
                self._snapshots.settle()
            except NaruError as error:
                # The notes stay, and so does the doubt that they stand for.
                _log.error("%s", error)
