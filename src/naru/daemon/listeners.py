"""Where clients reach the engine: unix sockets, TCP with mutual TLS, sockets of systemd.

Owns sockets and the pid file, and what makes them safe: modes, groups, a lock against a second
engine on the same data.
"""

from __future__ import annotations

import contextlib
import fcntl
import grp
import logging
import os
import socket
import ssl
import stat
from dataclasses import dataclass
from pathlib import Path

from naru.daemon.settings import DaemonConfig
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
        close_all(listeners)
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
            tls = _tls(config, host)
            return [Listener(_tcp(rest, 2376 if tls else 2375), tls, host)]
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
    _clear(path)
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o117)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    _give_to_group(path, group)
    listener.listen(_BACKLOG)
    return listener


def _clear(path: Path) -> None:
    """Remove a socket that a dead engine left, and nothing else."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ConflictError(f"can't create unix socket {path}: it exists and is no socket")
    if _answers(path):
        raise ConflictError(f"can't create unix socket {path}: somebody is listening there")
    path.unlink()


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


def _tcp(address: str, default_port: int) -> socket.socket:
    host, colon, port_text = address.removesuffix("/").rpartition(":")
    if not colon or "]" in port_text:
        host, port_text = address.removesuffix("/"), str(default_port)
    if not (port_text.isascii() and port_text.isdigit() and int(port_text) < 65536):
        raise InvalidInputError(f"invalid tcp address '{address}': expected HOST:PORT")
    host, port = host.strip("[]") or "127.0.0.1", int(port_text)
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
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
    """Take the sockets over; children must neither get them nor believe that they are theirs."""
    pid, count = os.environ.pop("LISTEN_PID", ""), os.environ.pop("LISTEN_FDS", "0")
    os.environ.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not count.isdigit() or count == "0":
        raise InvalidInputError("fd://: no sockets were handed over by systemd")
    descriptors = range(_FIRST_SYSTEMD_FD, _FIRST_SYSTEMD_FD + int(count))
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    return [socket.socket(fileno=descriptor) for descriptor in descriptors]


def notify_ready() -> None:
    """Tell systemd that requests are served, if it wants to know.

    Spec: systemd, sd_notify(3).
    """
    address = os.environ.pop("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to_systemd:
        try:
            to_systemd.sendto(b"READY=1", address.replace("@", "\0", 1))
        except OSError as error:
            _log.warning("systemd at %s cannot be told: %s", address, error)


def close_all(listeners: list[Listener]) -> None:
    """Close the sockets and remove their files. Idempotent."""
    for listener in listeners:
        listener.socket.close()
        if listener.address.startswith("unix://"):
            Path(listener.address.removeprefix("unix://")).unlink(missing_ok=True)


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


def remove_pidfile(path: Path) -> None:
    """Remove the file if it is still ours. Idempotent."""
    with contextlib.suppress(FileNotFoundError):
        if path.read_text() == str(os.getpid()):
            path.unlink()


def _is_engine(pid: int) -> bool:
    try:
        return b"narud" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
