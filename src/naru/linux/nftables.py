"""One transaction to nftables, and one look at a table, through libnftables in this process.

No forks, and no parsing of a program's output. libnftables is not made for threads, so one of
them is inside at a time; a transaction that adds or deletes a few elements takes under 1 ms.

libnftables waits with select(2), which takes no descriptor above 1023 and ends the process that
comes with one; an engine with some hundred containers has more open. Therefore libnftables runs
only in threads with a table of descriptors of their own, which starts out empty.

Spec: nft(8), libnftables(3), libnftables-json(5), close_range(2).
"""

from __future__ import annotations

import ctypes
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import msgspec

from naru.errors import FaultError

_LIBRARY = "libnftables.so.1"
_STATELESS = 1 << 2
_JSON = 1 << 4
_TERSE = 1 << 11
_CLOSE_RANGE_UNSHARE = 1 << 1
_MAX_DESCRIPTOR = (1 << 32) - 1


class FirewallError(FaultError):
    """nftables refused a transaction; the message is its own."""


class _Library:
    """The loaded library and one context of it."""

    def __init__(self) -> None:
        try:
            library = ctypes.CDLL(_LIBRARY)
        except OSError as error:
            raise FaultError(
                f"load {_LIBRARY}: {error}", hint="install the package nftables"
            ) from error
        pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint
        signatures: dict[str, tuple[Any, list[Any]]] = {
            "nft_ctx_new": (pointer, [ctypes.c_uint32]),
            "nft_ctx_free": (None, [pointer]),
            "nft_ctx_buffer_output": (ctypes.c_int, [pointer]),
            "nft_ctx_buffer_error": (ctypes.c_int, [pointer]),
            "nft_ctx_get_output_buffer": (text, [pointer]),
            "nft_ctx_get_error_buffer": (text, [pointer]),
            "nft_ctx_output_set_flags": (None, [pointer, number]),
            "nft_run_cmd_from_buffer": (ctypes.c_int, [pointer, text]),
        }
        for name, (result, arguments) in signatures.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
        self.functions = library

    def new_context(self) -> int:
        """Return a context in the calling thread's network namespace."""
        context: int | None = self.functions.nft_ctx_new(0)
        if not context:
            raise FaultError("start libnftables: out of memory")
        self.functions.nft_ctx_buffer_output(context)
        self.functions.nft_ctx_buffer_error(context)
        return context

    def run(self, context: int, commands: str, output_flags: int) -> str:
        """Run commands in a context, and return what they print."""
        self.functions.nft_ctx_output_set_flags(context, output_flags)
        status = self.functions.nft_run_cmd_from_buffer(context, commands.encode())
        output: bytes = self.functions.nft_ctx_get_output_buffer(context)
        errors: bytes = self.functions.nft_ctx_get_error_buffer(context)
        if status != 0:
            raise FirewallError(f"nftables: {errors.decode(errors='replace').strip()}")
        return output.decode(errors="replace")


class _Host:
    """The library in one thread that stays, with one context of the host's namespace."""

    def __init__(self) -> None:
        self.library = _Library()
        self._thread = ThreadPoolExecutor(1, "naru-nft", initializer=_own_descriptors)
        self._context = self._thread.submit(self.library.new_context).result()

    def run(self, commands: str, output_flags: int) -> str:
        """Run commands, and return what they print."""
        work = self._thread.submit(self.library.run, self._context, commands, output_flags)
        return work.result()


_lock = threading.Lock()
_loaded: list[_Host] = []


def _own_descriptors() -> None:
    """Give the calling thread a table of descriptors without any above standard error."""
    close_range = ctypes.CDLL(None).close_range
    close_range(ctypes.c_uint(3), ctypes.c_uint(_MAX_DESCRIPTOR), _CLOSE_RANGE_UNSHARE)


def run(commands: str) -> None:
    """Carry out nft commands as one transaction: all of them, or none.

    Raises:
        FirewallError: nftables refused; nothing has changed.
        FaultError: libnftables is not installed.
    """
    _run(commands, 0)


def run_here(commands: str) -> None:
    """Carry out nft commands as `run` does, in the calling thread's network namespace.

    Raises:
        FirewallError: nftables refused; nothing has changed.
        FaultError: libnftables is not installed.
    """
    done: Future[None] = Future()
    with _lock:
        library = _host().library
        # A thread begins in the namespace of the one that starts it.
        threading.Thread(
            target=_run_once, args=(library, commands, done), name="naru-nft-here"
        ).start()
        done.result()


def _run_once(library: _Library, commands: str, done: Future[None]) -> None:
    try:
        _own_descriptors()
        context = library.new_context()
    except BaseException as error:  # noqa: BLE001 - raised where the result is awaited
        done.set_exception(error)
        return
    try:
        library.run(context, commands, 0)
    except BaseException as error:  # noqa: BLE001 - likewise
        done.set_exception(error)
    else:
        done.set_result(None)
    # Closing its socket waits some milliseconds for the kernel; nobody waits for that.
    library.functions.nft_ctx_free(context)


def list_table(family: str, name: str, *, elements: bool = True) -> list[dict[str, Any]] | None:
    """Return all objects of a table as libnftables-json has them, or None without the table.

    Without `elements`, of sets that have a name there is only what they are.

    Raises:
        FirewallError: nftables could not list it.
    """
    if not _has_table(family, name):
        return None
    flags = _JSON | _STATELESS | (0 if elements else _TERSE)
    answer = msgspec.json.decode(_run(f"list table {family} {name}", flags))
    return [entry for entry in answer["nftables"] if "metainfo" not in entry]


def list_chains() -> list[dict[str, Any]]:
    """Return all chains of all tables as libnftables-json has them, without their rules.

    Raises:
        FirewallError: nftables could not list them.
    """
    answer = msgspec.json.decode(_run("list chains", _JSON | _TERSE | _STATELESS))
    return list(answer["nftables"])


def structure_text(family: str, name: str) -> str | None:
    """Return a table's text without elements and counters, or None without the table.

    Two texts are equal exactly when the chains, rules, sets and maps are.
    """
    if not _has_table(family, name):
        return None
    return _run(f"list table {family} {name}", _TERSE | _STATELESS)


def _has_table(family: str, name: str) -> bool:
    answer = msgspec.json.decode(_run(f"list tables {family}", _JSON))
    return any(entry.get("table", {}).get("name") == name for entry in answer["nftables"])


def _run(commands: str, output_flags: int) -> str:
    with _lock:
        return _host().run(commands, output_flags)


def _host() -> _Host:
    if not _loaded:
        _loaded.append(_Host())
    return _loaded[0]
