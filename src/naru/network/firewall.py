"""Our nft table in the kernel: loaded at start, mended when it is not as it was left.

Owns the table named in the configuration and touches no other. Safe for many threads.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Iterable

from naru.db.networks import NetworkRows
from naru.linux import nftables
from naru.network import rules
from naru.network.rules import FAMILY, Element

_log = logging.getLogger(__name__)


class Firewall:
    """The table and what is in it."""

    def __init__(self, table: str, rows: NetworkRows) -> None:
        self._table = table
        self._rows = rows
        self._lock = threading.Lock()
        self._elements: set[Element] = set()

    def ensure(self, elements: Iterable[Element]) -> None:
        """Make the table say exactly this. Idempotent.

        A table that is as the kernel listed it after it was loaded is kept, and only elements
        that differ are changed; any other is replaced in one transaction. Either way no packet
        of a running container meets a table without its elements.

        Raises:
            FirewallError: nftables refused.
        """
        with self._lock:
            self._elements = set(elements)
            listed = nftables.structure_text(FAMILY, self._table)
            wanted = (rules.structure(self._table), listed)
            if listed is None or self._rows.firewall(self._table) != wanted:
                self._load()
                return
            there = rules.elements_in(nftables.list_table(FAMILY, self._table) or [])
            commands = rules.removals(self._table, there - self._elements)
            commands += rules.additions(self._table, self._elements - there)
            if commands:
                nftables.run(commands)

    def change(self, *, add: Collection[Element] = (), remove: Collection[Element] = ()) -> None:
        """Take elements out and put others in. Atomic and idempotent.

        Raises:
            FirewallError: nftables refused; nothing has changed.
        """
        gone, new = set(remove) - set(add), set(add)
        if not gone and not new:
            return
        with self._lock:
            # One that stays under another value has to go first: nft refuses two of one key.
            kept = self._elements - gone
            commands = rules.removals(self._table, gone & self._elements)
            commands += rules.additions(self._table, new)
            try:
                if commands:
                    nftables.run(commands)
            except nftables.FirewallError:
                if not self._is_gone():
                    raise
                self._elements = kept | new
                self._load()
            self._elements = kept | new

    def teardown(self) -> None:
        """Remove the table. Idempotent."""
        with self._lock:
            self._elements = set()
            nftables.run(f"add table {FAMILY} {self._table}\ndelete table {FAMILY} {self._table}\n")

    def _is_gone(self) -> bool:
        """Say whether somebody has removed the table, as a reload of the host's rules does."""
        gone = nftables.structure_text(FAMILY, self._table) is None
        if gone:
            _log.warning("nft table %s %s was removed; loading it again", FAMILY, self._table)
        return gone

    def _load(self) -> None:
        nftables.run(rules.replacement(self._table, self._elements))
        listed = nftables.structure_text(FAMILY, self._table) or ""
        self._rows.put_firewall(self._table, rules.structure(self._table), listed)
