"""What is committed onto the disk, about a second later: all that nobody waits for.

A commit survives the engine, not a power cut (see `naru.db.database`). Who answers for something
that must be there calls `Database.sync`; the rest, such as that a container runs or was stopped,
comes to the disk here, in one go for all that happened meanwhile.
"""

from __future__ import annotations

import logging
import threading

from naru.db.database import Database
from naru.errors import FaultError

DELAY_S = 1.0
_log = logging.getLogger(__name__)


class RowSync:
    """Syncs a database after commits. Its thread sleeps while there are none."""

    def __init__(self, database: Database, *, delay_s: float = DELAY_S) -> None:
        self._database = database
        self._delay_s = delay_s
        self._is_due = threading.Event()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="naru-row-sync", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._database.on_commit = self._is_due.set
        self._thread.start()

    def close(self) -> None:
        """Stop; what is not on the disk yet is the kernel's to write. Idempotent."""
        self._is_over.set()
        self._is_due.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while self._is_due.wait():
            if self._is_over.wait(self._delay_s):
                return
            # What is committed from here on is for the next time.
            self._is_due.clear()
            try:
                self._database.sync()
            except FaultError as error:
                _log.error("%s", error)
