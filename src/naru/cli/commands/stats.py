"""`stats`: what containers use, once or as a table that renews itself.

Each container's stream is read by a thread of its own, as the engine sends; the table shows the
last that each has heard.
"""

from __future__ import annotations

import contextlib
import threading
import time

from naru.cli import human
from naru.cli.batch import container_path, describe
from naru.cli.failure import CommandFailedError
from naru.cli.formatting import Columns, render
from naru.cli.template.values import View
from naru.cli.usage_numbers import Usage
from naru.errors import NaruError
from naru.units import print_bytes_binary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from naru.cli.invocation import Invocation

_TITLES = {
    "BlockIO": "BLOCK I/O",
    "CPUPerc": "CPU %",
    "Container": "CONTAINER",
    "ID": "CONTAINER ID",
    "MemPerc": "MEM %",
    "MemUsage": "MEM USAGE / LIMIT",
    "Name": "NAME",
    "NetIO": "NET I/O",
    "PIDs": "PIDS",
}
_DEFAULT = ("ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs")
_UNKNOWN = "--"
_RENEWED_EVERY_S = 0.5
# What was not renewed for so long is not shown as if it were true.
_STALE_AFTER_S = 2.0
_HOME, _CLEAR_LINE, _CLEAR_BELOW = "\033[H", "\033[K", "\033[J"


class Watched:
    """One container: what was last heard of it, and whether anything was."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.answer: dict[str, Any] = {}
        self.heard_at = 0.0
        self.error: NaruError | CommandFailedError | None = None
        self.is_settled = threading.Event()
        self.has_ended = False

    def read(self, invocation: Invocation, *, stream: bool) -> None:
        """Listen until the engine has no more to say, or says that something is wrong."""
        try:
            path = container_path(self.name, "/stats")
            for answer in invocation.client.stream("GET", path, {"stream": stream}):
                self.answer, self.heard_at = answer, time.monotonic()
                self.is_settled.set()
        except (NaruError, CommandFailedError) as error:
            self.error = error
        except ValueError:
            pass  # The engine ended in the middle of an answer.
        finally:
            self.has_ended = True
            self.is_settled.set()

    def view(self, *, is_live: bool, truncates: bool) -> StatsView:
        """Return the row to show now."""
        is_known = self.heard_at > 0 and self.error is None
        if is_live:
            is_fresh = time.monotonic() - self.heard_at <= _STALE_AFTER_S
            is_known = is_known and is_fresh and not self.has_ended
        return StatsView(self.name, self.answer, is_known=is_known, truncates=truncates)


class StatsView(View):
    """A row of `stats`, over one answer of the API."""

    go_type = "*container.statsContext"

    def __init__(
        self, container: str, answer: dict[str, Any], *, is_known: bool, truncates: bool
    ) -> None:
        self.container = container
        self.answer = answer
        self.truncates = truncates
        self.usage = Usage(answer) if is_known else None

    def name(self) -> str:
        return str(self.answer.get("name", "")).removeprefix("/") or _UNKNOWN

    def id(self) -> str:
        identity = str(self.answer.get("id", ""))
        return human.short_id(identity) if self.truncates else identity

    def cpu(self) -> str:
        return f"{self.usage.cpu_percent:.2f}%" if self.usage else _UNKNOWN

    def memory(self) -> str:
        if not self.usage:
            return f"{_UNKNOWN} / {_UNKNOWN}"
        used, limit = self.usage.memory, self.usage.memory_limit
        return f"{print_bytes_binary(used)} / {print_bytes_binary(limit)}"

    def memory_percent(self) -> str:
        return f"{self.usage.memory_percent:.2f}%" if self.usage else _UNKNOWN

    def network(self) -> str:
        return _pair(self.usage.received, self.usage.sent) if self.usage else _UNKNOWN

    def blocks(self) -> str:
        return _pair(self.usage.read, self.usage.written) if self.usage else _UNKNOWN

    def processes(self) -> str:
        return str(self.usage.processes) if self.usage else _UNKNOWN

    columns = {  # noqa: RUF012 - the protocol's ClassVar is declared in View
        "BlockIO": blocks,
        "CPUPerc": cpu,
        "Container": lambda self: self.container,
        "ID": id,
        "MemPerc": memory_percent,
        "MemUsage": memory,
        "Name": name,
        "NetIO": network,
        "PIDs": processes,
    }


def _pair(first: int, second: int) -> str:
    return f"{human.size(first)} / {human.size(second)}"


def stats(invocation: Invocation) -> int:
    """Show what containers use, until it is stopped or, with `--no-stream`, once."""
    options = invocation.options
    # Settles the API's version before several threads ask for it.
    _ = invocation.client.api_version
    board = _Board(invocation, is_live=not options["no-stream"])
    if invocation.args:
        for name in invocation.args:
            board.add(name)
        board.settle()
        if problems := board.problems():
            raise CommandFailedError("\n".join(problems))
    else:
        if board.is_live:
            board.follow_all()
        for item in invocation.client.get("/containers/json", _all(invocation)):
            board.add(item["Id"][:12])
        board.settle()
    if not board.is_live:
        invocation.stdout.write(board.text())
        return 0
    try:
        while not board.is_over():
            lines = board.text().split("\n")
            screen = _HOME + "".join(f"{line} {_CLEAR_LINE}\n" for line in lines) + _CLEAR_BELOW
            invocation.stdout.write(screen)
            invocation.stdout.flush()
            time.sleep(_RENEWED_EVERY_S)
    except KeyboardInterrupt:
        # The terminal has shown the key: the prompt gets a line of its own.
        invocation.stdout.write("\n")
        raise
    return 0


def _all(invocation: Invocation) -> dict[str, object]:
    return {"all": True if invocation.options["all"] else None}


class _Board:
    """All containers that are watched, in the order in which they came."""

    def __init__(self, invocation: Invocation, *, is_live: bool) -> None:
        self._invocation = invocation
        self.is_live = is_live
        self._watched: dict[str, Watched] = {}
        self._lock = threading.Lock()
        self._follows_all = False
        self._form = invocation.options["format"] or invocation.config.get("statsFormat", "")

    def add(self, name: str) -> None:
        with self._lock:
            if name in self._watched:
                return
            watched = self._watched[name] = Watched(name)
        self._in_background(lambda: watched.read(self._invocation, stream=self.is_live))

    def _remove(self, name: str) -> None:
        with self._lock:
            self._watched.pop(name, None)

    def follow_all(self) -> None:
        """Let containers come and go as they do in the engine, from now on."""
        wants_all = self._invocation.options["all"]
        comes, goes = ("create", "destroy") if wants_all else ("start", "die")
        filters = {"type": {"container": True}, "event": {comes: True, goes: True}}
        events = self._invocation.client.stream("GET", "/events", {"filters": filters})

        def follow() -> None:
            # An engine that stops ends the table, not with an error.
            with contextlib.suppress(NaruError, ValueError):
                for event in events:
                    name = event["Actor"]["ID"][:12]
                    if event["Action"] == comes:
                        self.add(name)
                    else:
                        self._remove(name)
            self._follows_all = False

        self._follows_all = True
        self._in_background(follow)

    def is_over(self) -> bool:
        """Say whether there is nothing left to wait for."""
        return not self._follows_all and all(row.has_ended for row in self._rows())

    def settle(self) -> None:
        """Wait until each container was heard of; in a live table, not for long."""
        patience = _STALE_AFTER_S if self.is_live else None
        for watched in self._rows():
            watched.is_settled.wait(patience)

    def problems(self) -> list[str]:
        return [describe(watched.error) for watched in self._rows() if watched.error]

    def text(self) -> str:
        """Return the table as it is now."""
        truncates = not self._invocation.options["no-trunc"]
        views = [row.view(is_live=self.is_live, truncates=truncates) for row in self._rows()]
        return render(views, self._form, Columns(_DEFAULT, _TITLES))

    def _rows(self) -> list[Watched]:
        with self._lock:
            return list(self._watched.values())

    def _in_background(self, work: Any) -> None:
        threading.Thread(target=work, daemon=True).start()
