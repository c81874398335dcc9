"""Sockets and the pid file: safe modes, no stolen sockets, no second engine."""

from __future__ import annotations

import fcntl
import os
import socket
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.certificates import Authority
from naru.daemon import listeners
from naru.daemon.config import load_config
from naru.errors import ConflictError, InvalidInputError, NotSupportedError


@pytest.fixture
def opened() -> Iterator[list[listeners.Listener]]:
    found: list[listeners.Listener] = []
    yield found
    listeners.close_all(found)


def listen(
    opened: list[listeners.Listener], tmp_path: Path, *flags: str
) -> list[listeners.Listener]:
    (tmp_path / "daemon.json").write_text("{}")
    config = load_config([f"--config-file={tmp_path}/daemon.json", *flags], version="1")
    found = listeners.listen(config)
    opened += found
    return found


def test_only_root_and_the_group_may_use_the_socket(
    opened: list[listeners.Listener], tmp_path: Path
) -> None:
    path = tmp_path / "made" / "s"
    listen(opened, tmp_path, f"-H=unix://{path}", f"--group={os.getgid()}")
    found = path.stat()
    assert stat.S_IMODE(found.st_mode) == 0o660
    assert found.st_gid == os.getgid()
    assert os.umask(0o022) == 0o022, "the mask of the process is as it was"


def test_a_socket_that_a_dead_engine_left_is_replaced(
    opened: list[listeners.Listener], tmp_path: Path
) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    listen(opened, tmp_path, f"-H=unix://{path}")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_a_socket_where_somebody_listens_is_not(
    opened: list[listeners.Listener], tmp_path: Path
) -> None:
    path = tmp_path / "s"
    listen(opened, tmp_path, f"-H=unix://{path}")
    with pytest.raises(ConflictError, match="somebody is listening"):
        listen(opened, tmp_path, f"-H=unix://{path}")
    assert path.exists()


def test_a_file_that_is_no_socket_is_never_removed(
    opened: list[listeners.Listener], tmp_path: Path
) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(ConflictError, match="is no socket"):
        listen(opened, tmp_path, f"-H=unix://{path}")
    assert path.read_text() == "data"


def test_all_addresses_or_none(opened: list[listeners.Listener], tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    second.write_text("")
    with pytest.raises(ConflictError):
        listen(opened, tmp_path, f"-H=unix://{first}", f"-H=unix://{second}")
    assert not first.exists()


@pytest.mark.parametrize(
    "host",
    [
        "unix://relative/path",
        "unix:///" + "x" * 120,
        "tcp://127.0.0.1:http",
        "tcp://127.0.0.1:99999",
        "tcp://127.0.0.1:-1",
        "npipe:////./pipe/docker",
        "fd://",
    ],
)
def test_addresses_that_cannot_be_are_refused(
    opened: list[listeners.Listener], tmp_path: Path, host: str
) -> None:
    with pytest.raises(InvalidInputError):
        listen(opened, tmp_path, f"-H={host}", "--tls=false")


def test_closing_removes_the_files(opened: list[listeners.Listener], tmp_path: Path) -> None:
    path = tmp_path / "s"
    found = listen(opened, tmp_path, f"-H=unix://{path}")
    listeners.close_all(found)
    listeners.close_all(found)
    assert not path.exists()


class TestTcp:
    def test_plain_must_be_asked_for(
        self, opened: list[listeners.Listener], tmp_path: Path
    ) -> None:
        with pytest.raises(NotSupportedError, match="without TLS"):
            listen(opened, tmp_path, "-H=tcp://127.0.0.1:0")
        [found] = listen(opened, tmp_path, "-H=tcp://127.0.0.1:0", "--tls=false")
        assert found.tls is None

    def test_a_port_in_use_is_named(self, opened: list[listeners.Listener], tmp_path: Path) -> None:
        [found] = listen(opened, tmp_path, "-H=tcp://127.0.0.1:0", "--tls=false")
        port = found.socket.getsockname()[1]
        with pytest.raises(ConflictError, match=f"listen tcp 127.0.0.1:{port}: Address already"):
            listen(opened, tmp_path, f"-H=tcp://127.0.0.1:{port}", "--tls=false")

    def test_verified_clients_need_certificates(
        self, opened: list[listeners.Listener], tmp_path: Path
    ) -> None:
        authority = Authority(tmp_path)
        certificate, key = authority.issue("server", usage="serverAuth")
        flags = [f"--tlscert={certificate}", f"--tlskey={key}", "--tlsverify"]
        with pytest.raises(InvalidInputError, match="--tlscacert"):
            listen(opened, tmp_path, "-H=tcp://127.0.0.1:0", *flags)
        flags.append(f"--tlscacert={authority.certificate}")
        [found] = listen(opened, tmp_path, "-H=tcp://127.0.0.1:0", *flags)
        assert found.tls is not None
        assert found.tls.verify_mode is ssl.CERT_REQUIRED

    @pytest.mark.parametrize("missing", ["tlscert", "tlskey"])
    def test_tls_without_certificates_is_refused(
        self, opened: list[listeners.Listener], tmp_path: Path, missing: str
    ) -> None:
        flags = [f"--{name}={tmp_path}/none" for name in ("tlscert", "tlskey") if name != missing]
        with pytest.raises(InvalidInputError):
            listen(opened, tmp_path, "-H=tcp://127.0.0.1:0", "--tls", *flags)
        files = [f"--tlscert={tmp_path}/none", f"--tlskey={tmp_path}/none"]
        with pytest.raises(InvalidInputError, match="cannot be read"):
            listen(opened, tmp_path, "-H=tcp://127.0.0.1:0", "--tls", *files)


_ACTIVATED = """
import os, sys
from naru.daemon import listeners
os.environ["LISTEN_PID"] = str(os.getpid())
from naru.daemon.config import load_config
config = load_config(["--config-file=" + sys.argv[1], "-H", "fd://"], version="1")
[found] = listeners.listen(config)
assert not os.get_inheritable(found.socket.fileno())
assert "LISTEN_FDS" not in os.environ
connection, _ = found.socket.accept()
connection.sendall(b"here")
"""


def test_sockets_of_systemd_are_taken_over(tmp_path: Path) -> None:
    (tmp_path / "daemon.json").write_text("{}")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        listening.listen()
        number = listening.fileno()
        hand_over = f'exec "$@" 3<&{number}'
        config = str(tmp_path / "daemon.json")
        process = subprocess.Popen(
            ["bash", "-c", hand_over, "bash", sys.executable, "-c", _ACTIVATED, config],
            env={**os.environ, "LISTEN_FDS": "1"},
            pass_fds=[number],
        )
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(str(tmp_path / "s"))
            assert client.recv(10) == b"here"
        assert process.wait(10) == 0


def test_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        listeners.notify_ready()
        assert systemd.recv(100) == b"READY=1"
    listeners.notify_ready()
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    listeners.notify_ready()


def test_one_engine_per_data_root(tmp_path: Path) -> None:
    held = listeners.lock_data_root(tmp_path / "data")
    with pytest.raises(ConflictError, match="another engine runs on"):
        listeners.lock_data_root(tmp_path / "data")
    assert fcntl.fcntl(held, fcntl.F_GETFD) & fcntl.FD_CLOEXEC, "children must not hold it"
    os.close(held)
    os.close(listeners.lock_data_root(tmp_path / "data"))


@pytest.mark.parametrize("left", ["", "nonsense", "999999999", str(os.getppid())])
def test_pid_files_of_the_dead_are_replaced(tmp_path: Path, left: str) -> None:
    path = tmp_path / "run" / "pid"
    path.parent.mkdir()
    path.write_text(left)
    listeners.write_pidfile(path)
    assert path.read_text() == str(os.getpid())
    listeners.remove_pidfile(path)
    assert not path.exists()
    listeners.remove_pidfile(path)


def test_the_pid_file_of_a_living_engine_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    with subprocess.Popen(
        ["sh", "-c", "echo; read _; : narud"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        path.write_text(str(other.pid))
        try:
            with pytest.raises(ConflictError, match=f"PID {other.pid} is still running"):
                listeners.write_pidfile(path)
            listeners.remove_pidfile(path)
            assert path.exists()
        finally:
            other.kill()
