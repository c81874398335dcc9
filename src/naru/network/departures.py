"""Wires on their way out.

Removing a veth pair takes the kernel some 20 ms, and it does so by itself when the namespace at
its other end dies. A released container must not wait for that, yet its address must not be
given to the next one while the old wire is still on the bridge. So a thread waits instead, and
removes the wires whose namespace does not die because a process stays in it.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass

from naru.errors import NaruError
from naru.linux.netlink import RouteSocket

_log = logging.getLogger(__name__)
_POLL_S = 0.005
_PATIENCE_POLLS = 60


@dataclass(slots=True, eq=False)
class _Departure:
    link_name: str
    network_id: str
    gone: Callable[[], None]
    polls_left: int = _PATIENCE_POLLS


class Departures:
    """Wires that shall go, each with what to do once it is gone. Safe for many threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._pending: list[_Departure] = []
        self._thread: threading.Thread | None = None
        self._is_closing = False

    def expect(self, link_name: str, network_id: str, gone: Callable[[], None]) -> None:
        """Call `gone`, in a thread, once the interface is not there any more."""
        with self._changed:
            self._pending.append(_Departure(link_name, network_id, gone))
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="naru-departures", daemon=True
                )
                self._thread.start()
            self._changed.notify_all()

    def wait(self, network_id: str = "") -> None:
        """Return when nothing is pending, or nothing of one network."""
        with self._changed:
            self._changed.wait_for(
                lambda: not any(network_id in ("", one.network_id) for one in self._pending)
            )

    def close(self) -> None:
        """Finish what is pending, then stop. Harmless when called twice."""
        with self._changed:
            self._is_closing = True
            thread, self._thread = self._thread, None
            self._changed.notify_all()
        if thread is not None:
            thread.join()
        self._is_closing = False

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending or self._is_closing)
                if not self._pending:
                    return
                pending = list(self._pending)
            done = [departure for departure in pending if self._is_over(departure)]
            with self._changed:
                self._pending = [one for one in self._pending if one not in done]
                self._changed.notify_all()
                if not done:
                    self._changed.wait(_POLL_S)

    def _is_over(self, departure: _Departure) -> bool:
        try:
            if os.path.exists(f"/sys/class/net/{departure.link_name}"):
                departure.polls_left -= 1
                if departure.polls_left > 0:
                    return False
                with RouteSocket() as kernel:
                    kernel.delete_link(departure.link_name)
            departure.gone()
        except NaruError:
            _log.exception("remove interface %s", departure.link_name)
        return True
