"""Where clients reach the engine: unix sockets, TCP with mutual TLS, sockets of systemd.

Owns sockets and the pid file, and what makes them safe: modes, groups, a lock against a second
engine on the same data.
"""

from __future__ import annotations

import fcntl
import grp
import logging
import os
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from naru.daemon.config import DaemonConfig
from naru.errors import ConflictError, InvalidInputError, NotSupportedError

_log = logging.getLogger(__name__)
_SOCKET_PATH_LIMIT = 107
_BACKLOG = 1024
_FIRST_SYSTEMD_FD = 3


@dataclass(frozen=True, slots=True)
class Listener:
    """One bound socket and how to speak on it."""

    socket: socket.socket
    tls: ssl.SSLContext | None
    address: str


def listen(config: DaemonConfig) -> list[Listener]:
    """Bind every address of the configuration; all of them, or none.

    Raises:
        InvalidInputError: an address is malformed.
        ConflictError: somebody listens there.
        NotSupportedError: plain TCP was not asked for by name.
    """
    listeners: list[Listener] = []
    try:
        for host in config.hosts:
            listeners += _listen_on(host, config)
    except BaseException:
        for listener in listeners:
            listener.socket.close()
        raise
    return listeners


def _listen_on(host: str, config: DaemonConfig) -> list[Listener]:
    scheme, separator, rest = host.partition("://")
    if not separator:
        raise InvalidInputError(f"unable to parse host '{host}': expected PROTOCOL://ADDRESS")
    match scheme:
        case "unix":
            return [Listener(_unix(Path(rest), config.group), None, host)]
        case "tcp":
            return [Listener(_tcp(rest), _tls(config, host), host)]
        case "fd":
            return [Listener(found, None, host) for found in _from_systemd()]
        case _:
            raise InvalidInputError(f"unable to parse host '{host}': unknown protocol {scheme}")


def _unix(path: Path, group: str) -> socket.socket:
    if not path.is_absolute() or len(os.fsencode(path)) > _SOCKET_PATH_LIMIT:
        raise InvalidInputError(
            f"unix socket {path}: expected an absolute path of at most {_SOCKET_PATH_LIMIT} bytes"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        if _answers(path):
            raise ConflictError(f"can't create unix socket {path}: an engine is listening there")
        path.unlink()
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o117)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    _give_to_group(path, group)
    listener.listen(_BACKLOG)
    return listener


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def _give_to_group(path: Path, group: str) -> None:
    if not group:
        return
    try:
        group_id = int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
    except KeyError:
        _log.info("group %s does not exist: only root may use %s", group, path)
        return
    os.chown(path, 0, group_id)


def _tcp(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    if not port.isdigit():
        raise InvalidInputError(f"tcp address '{address}': expected HOST:PORT")
    host = host.strip("[]") or "127.0.0.1"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, int(port)))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise ConflictError(f"listen tcp {host}:{port}: {error.strerror}") from error
    return listener


def _tls(config: DaemonConfig, host: str) -> ssl.SSLContext | None:
    if not (config.tls or config.tlsverify):
        if not config.tls_was_named:
            raise NotSupportedError(
                f"{host}: TCP without TLS gives root to everybody who reaches the port",
                hint="use --tlsverify with certificates, or say --tls=false to insist",
            )
        _log.warning("%s is open to everybody who reaches it: whoever does is root", host)
        return None
    if not (config.tlscert and config.tlskey):
        raise InvalidInputError(f"{host}: --tlscert and --tlskey are needed for TLS")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(config.tlscert, config.tlskey)
        if config.tlsverify:
            if not config.tlscacert:
                raise InvalidInputError(f"{host}: --tlscacert is needed to verify clients")
            context.load_verify_locations(config.tlscacert)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:
        raise InvalidInputError(f"{host}: certificates cannot be read: {error}") from error
    return context


def _from_systemd() -> list[socket.socket]:
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        raise InvalidInputError("fd://: no sockets were handed over by systemd")
    count = int(os.environ.get("LISTEN_FDS", "0"))
    return [socket.socket(fileno=_FIRST_SYSTEMD_FD + number) for number in range(count)]


def lock_data_root(data_root: Path) -> int:
    """Keep any other engine off the same data; the lock ends with this process.

    Raises:
        ConflictError: another engine has it.
    """
    data_root.mkdir(parents=True, exist_ok=True, mode=0o711)
    descriptor = os.open(data_root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise ConflictError(
            f"another engine runs on {data_root}", hint="give this one its own --data-root"
        ) from error
    return descriptor


def write_pidfile(path: Path) -> None:
    """Write our pid; a file that a dead engine left is replaced.

    Raises:
        ConflictError: the process in it is alive.
    """
    try:
        pid = int(path.read_text())
    except (FileNotFoundError, ValueError):
        pid = 0
    if pid and pid != os.getpid() and _is_engine(pid):
        raise ConflictError(f"process with PID {pid} is still running", hint=f"see {path}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{os.getpid()}")


def _is_engine(pid: int) -> bool:
    try:
        return b"narud" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
