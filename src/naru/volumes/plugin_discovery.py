"""Where plugins are: sockets and small files in the plugin directories.

`NAME.sock` is a plugin's socket; `NAME.spec` has its address as a line, `NAME.json` as an object,
with certificates if it wants. Each may also lie in a directory of its own, `NAME/NAME.sock`.
The first directory that has the name wins. Nothing is kept: plugins come and go.

Spec: Docker, plugin discovery.
"""

from __future__ import annotations

import contextlib
import os
import re
import ssl
import stat
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from naru import untrusted_json
from naru.api.wire import Wire
from naru.errors import InvalidInputError
from naru.volumes.plugin_protocol import Address

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_ENDINGS = (".sock", ".spec", ".json")


class _Tls(Wire):
    """Certificates of a plugin."""

    insecure_skip_verify: bool = False
    ca_file: str = msgspec.field(default="", name="CAFile")
    cert_file: str = ""
    key_file: str = ""


class _Specification(Wire):
    """What a `.json` file says."""

    name: str = ""
    addr: str = ""
    tls_config: _Tls | None = msgspec.field(default=None, name="TLSConfig")


def find(directories: Sequence[str], name: str) -> Address | None:
    """Return where the plugin `name` listens; None where no directory knows it.

    Raises:
        InvalidInputError: its file cannot be read, or names no address.
    """
    if not _NAME.fullmatch(name):
        return None
    for directory in directories:
        for ending in _ENDINGS:
            for path in _places(directory, name, ending):
                if _is_there(path, ending):
                    return _address(path, ending)
    return None


def names(directories: Sequence[str]) -> list[str]:
    """Return the names of all plugins that the directories know, sorted."""
    found = set()
    for directory in directories:
        with contextlib.suppress(OSError):
            for entry in os.scandir(directory):
                stem, ending = os.path.splitext(entry.name)
                name = stem if ending in _ENDINGS else entry.name
                if _NAME.fullmatch(name) and any(
                    _is_there(path, one)
                    for one in _ENDINGS
                    for path in _places(directory, name, one)
                ):
                    found.add(name)
    return sorted(found)


def _places(directory: str, name: str, ending: str) -> tuple[Path, ...]:
    return Path(directory, name + ending), Path(directory, name, name + ending)


def _is_there(path: Path, ending: str) -> bool:
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISSOCK(mode) if ending == ".sock" else stat.S_ISREG(mode)


def _address(path: Path, ending: str) -> Address:
    if ending == ".sock":
        return Address(path=str(path))
    try:
        content = path.read_bytes()
        if ending == ".spec":
            return _parsed(content.decode().strip(), None)
        specification = untrusted_json.decode(content, type=_Specification)
        return _parsed(specification.addr, specification.tls_config)
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise InvalidInputError(f"plugin file {path}: {error}") from error


def _parsed(text: str, tls: _Tls | None) -> Address:
    parts = urlsplit(text)
    if parts.scheme == "unix" and parts.path:
        return Address(path=parts.path)
    if parts.scheme in ("tcp", "http", "https") and parts.hostname and parts.port:
        is_tls = tls is not None or parts.scheme == "https"
        context = _tls_context(tls or _Tls()) if is_tls else None
        return Address(host=parts.hostname, port=parts.port, tls=context)
    raise ValueError(f"expected unix://PATH or tcp://HOST:PORT, got {text!r}")


def _tls_context(tls: _Tls) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.ca_file or None)
    if tls.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.cert_file:
        context.load_cert_chain(tls.cert_file, tls.key_file or None)
    return context
