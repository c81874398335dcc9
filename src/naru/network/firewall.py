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
from naru.network.rules import FAMILY, BridgeRules, Forward

_log = logging.getLogger(__name__)


class Firewall:
    """The table and what is in it."""

    def __init__(self, table: str, rows: NetworkRows) -> None:
        self._table = table
        self._rows = rows
        self._lock = threading.Lock()
        self._structure = ""
        self._forwards: set[Forward] = set()

    def ensure(self, bridges: Iterable[BridgeRules], forwards: Iterable[Forward]) -> None:
        """Make the table say exactly this. Idempotent.

        A table that is as the kernel listed it after it was loaded is kept, and only elements
        that differ are changed; any other is replaced in one transaction. Either way no packet
        of a running container meets a table without its elements.

        Raises:
            FirewallError: nftables refused.
        """
        with self._lock:
            self._structure = rules.structure(self._table, bridges)
            self._forwards = set(forwards)
            listed = nftables.structure_text(FAMILY, self._table)
            if listed is None or self._rows.firewall(self._table) != (self._structure, listed):
                self._load()
                return
            objects = nftables.list_table(FAMILY, self._table) or []
            there = rules.elements_in(objects)
            commands = rules.removals(self._table, there - self._forwards)
            commands += rules.additions(self._table, self._forwards - there)
            if commands:
                nftables.run(commands)

    def add(self, forwards: Collection[Forward]) -> None:
        """Let ports lead into a container. Atomic and idempotent.

        Raises:
            FirewallError: nftables refused.
        """
        if not forwards:
            return
        with self._lock:
            try:
                nftables.run(rules.additions(self._table, forwards))
            except nftables.FirewallError:
                if not self._is_gone():
                    raise
                self._forwards.update(forwards)
                self._load()
            self._forwards.update(forwards)

    def remove(self, forwards: Collection[Forward]) -> None:
        """Let ports lead nowhere. Atomic and idempotent.

        Raises:
            FirewallError: nftables refused.
        """
        if not forwards:
            return
        with self._lock:
            self._forwards.difference_update(forwards)
            try:
                nftables.run(rules.removals(self._table, forwards))
            except nftables.FirewallError:
                if not self._is_gone():
                    raise
                self._load()

    def teardown(self) -> None:
        """Remove the table. Idempotent."""
        with self._lock:
            self._forwards = set()
            nftables.run(f"add table {FAMILY} {self._table}\ndelete table {FAMILY} {self._table}\n")

    def _is_gone(self) -> bool:
        """Say whether somebody has removed the table, as a reload of the host's rules does."""
        gone = nftables.structure_text(FAMILY, self._table) is None
        if gone:
            _log.warning("nft table %s %s was removed; loading it again", FAMILY, self._table)
        return gone

    def _load(self) -> None:
        nftables.run(rules.replacement(self._table, self._structure, self._forwards))
        listed = nftables.structure_text(FAMILY, self._table) or ""
        self._rows.put_firewall(self._table, self._structure, listed)
