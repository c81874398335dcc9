"""Our nft tables in the kernel: loaded at start, mended when they are not as they were left.

Owns the tables named in the configuration, in the families inet, ip and ip6, and touches no
other. Safe for many threads.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Collection, Iterable
from dataclasses import replace

from naru.db.networks import NetworkRows
from naru.errors import InvalidInputError
from naru.linux import nftables
from naru.linux.nftables import FirewallError
from naru.network import rules, turnstile
from naru.network.admin_rules import AdminRules, read_admin_rules
from naru.network.host_policy import dropping_tables, hindrances
from naru.network.model import VERSIONS, NetworkConfig
from naru.network.rules import FAMILY, Element
from naru.network.ruleset import Ruleset
from naru.network.turnstile import turnstile_of

_log = logging.getLogger(__name__)
_VALID_IN_INPUT = (
    "rules have to be valid in the hooks forward and input; in forward alone, with "
    "--userland-proxy=false"
)


class Firewall:
    """The tables and what is in them."""

    def __init__(self, config: NetworkConfig, rows: NetworkRows) -> None:
        self._config = config
        self._table = config.table
        self._rows = rows
        self._lock = threading.Lock()
        self._elements: set[Element] = set()
        self._turnstile = turnstile_of(config.bridge)
        self._ruleset = Ruleset(
            config.table,
            self._turnstile if config.asks_host else None,
            relays=config.relays_ports,
        )
        self._admin_rules = AdminRules()

    def ensure(self, elements: Iterable[Element]) -> None:
        """Make the tables say exactly this. Idempotent.

        A table that is as the kernel listed it after it was loaded is kept, and only elements
        that differ are changed; any other is replaced in one transaction. Either way no packet
        of a running container meets a table without its elements.

        Raises:
            FirewallError: nftables refused.
            InvalidInputError: the administrator's rules are none, or cannot be read.
        """
        with self._lock:
            self._elements = set(elements)
            self._take_admin_rules(self._read_admin_rules())
            self._load_copying()
            listed = nftables.structure_text(FAMILY, self._table)
            wanted = (self._ruleset.structure(), listed)
            if listed is None or self._rows.firewall(self._table) != wanted:
                self._load()
            else:
                self._mend_elements()
            if not self._config.asks_host:
                turnstile.remove(self._turnstile, self._table)

    def _mend_elements(self) -> None:
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
            except FirewallError:
                if not self._is_gone():
                    raise
                self._elements = kept | new
                self._load_copying()
                self._load()
            self._elements = kept | new

    def reload_admin_rules(self) -> bool:
        """Put the administrator's rules in force as they stand in the file now.

        Atomic; returns whether they are others than before.

        Raises:
            InvalidInputError: they are none, or cannot be read; those before are in force.
            FirewallError: nftables refused; those before are in force.
        """
        with self._lock:
            before, wanted = self._admin_rules, self._read_admin_rules()
            if wanted == before:
                return False
            self._take_admin_rules(wanted)
            try:
                self._load()
            except (FirewallError, InvalidInputError):
                self._take_admin_rules(before)
                raise
        return True

    def hindrances(self, bridges: Collection[str]) -> list[str]:
        """Return what the host's own firewall keeps these bridges of ours from, as warnings."""
        try:
            dropping = dropping_tables(nftables.list_chains(), self._table)
            tables = [nftables.list_table(*each, elements=False) or [] for each in dropping]
        except FirewallError as error:
            _log.warning("look at the host's firewall: %s", error.message)
            return []
        return hindrances(tables, bridges, self._ruleset.turnstile)

    def teardown(self) -> None:
        """Remove the tables. Idempotent."""
        with self._lock:
            self._elements = set()
            nftables.run(self._ruleset.removal())
            turnstile.remove(self._turnstile, self._table)

    def _is_gone(self) -> bool:
        """Say whether somebody has removed the table, as a reload of the host's rules does."""
        gone = nftables.structure_text(FAMILY, self._table) is None
        if gone:
            _log.warning("nft table %s %s was removed; loading it again", FAMILY, self._table)
        return gone

    def _load(self) -> None:
        if self._admin_rules.is_empty:
            nftables.run(self._ruleset.replacement(self._elements))
        else:
            self._load_with_admin_rules()
        listed = nftables.structure_text(FAMILY, self._table) or ""
        self._rows.put_firewall(self._table, self._ruleset.structure(), listed)

    def _load_with_admin_rules(self) -> None:
        path = self._admin_rules.path
        with self._admin_rules.included() as file:
            ruleset = replace(self._ruleset, admin_rules=f'include "{file}"')
            try:
                nftables.run(ruleset.replacement(self._elements))
            except FirewallError as error:
                # Without them it would be loaded. Not of every mistake does nft tell the place.
                lines = error.message.removeprefix("nftables: ").splitlines()
                told = [line for line in lines if not line.startswith("In file included from ")]
                message = "\n".join(told).replace(file, path)
                where = "" if message.startswith(path) else f"{path}: "
                raise InvalidInputError(
                    f"firewall rules: {where}{message}",
                    hint=_VALID_IN_INPUT if self._ruleset.relays else "",
                ) from error

    def _load_copying(self) -> None:
        """Load the tables that copy packets, and what they copy them to."""
        if self._config.asks_host:
            turnstile.provide(self._turnstile, self._table)
        for version in VERSIONS:
            if version == 6 and not os.path.exists("/proc/sys/net/ipv6"):
                continue
            try:
                nftables.run(self._ruleset.copying(version))
            except FirewallError as error:
                if self._config.asks_host:
                    raise FirewallError(
                        f"published-ports-policy=host-firewall: {error.message}",
                        hint=f"does the kernel have nft_dup_ipv{version}?",
                    ) from error
                _log.warning("ports are not reached on the host's ::1: %s", error.message)

    def _read_admin_rules(self) -> AdminRules:
        config = self._config
        return read_admin_rules(config.firewall_rules, required=config.needs_firewall_rules)

    def _take_admin_rules(self, wanted: AdminRules) -> None:
        self._admin_rules = wanted
        self._ruleset = replace(self._ruleset, admin_rules=wanted.text)
