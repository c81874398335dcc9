"""The engine over TCP: mutual TLS with the real docker command, and nothing without it."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes.certificates import Authority
from harness.narud import EngineUnderTest
from harness.ports import free_port
from harness.requirements import requires

pytestmark = [requires("root", "docker", "openssl"), pytest.mark.naru_only]


class SecuredEngine:
    """An engine behind mutual TLS, and the words that docker needs to reach it."""

    def __init__(self, folder: Path, make_engine: Callable[..., EngineUnderTest]) -> None:
        self.authority = Authority(folder)
        certificate, key = self.authority.issue("server", usage="serverAuth")
        self.host = f"tcp://127.0.0.1:{free_port()}"
        self.engine = make_engine(
            f"--host={self.host}",
            "--tlsverify",
            f"--tlscacert={self.authority.certificate}",
            f"--tlscert={certificate}",
            f"--tlskey={key}",
        )
        certificate, key = self.authority.issue("client", usage="clientAuth")
        self.identity = [f"--tlscert={certificate}", f"--tlskey={key}"]

    def docker(
        self, *words: str, stdin: bytes = b"", identity: list[str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run docker against the TCP socket."""
        environ = {k: v for k, v in self.engine.environ.items() if k != "DOCKER_HOST"}
        return subprocess.run(
            [
                *("docker", "-H", self.host, "--tlsverify"),
                f"--tlscacert={self.authority.certificate}",
                *(self.identity if identity is None else identity),
                *words,
            ],
            input=stdin,
            capture_output=True,
            env=environ,
            timeout=60,
            check=False,
        )


@pytest.fixture
def secured(tmp_path: Path, make_engine: Callable[..., EngineUnderTest]) -> SecuredEngine:
    return SecuredEngine(tmp_path, make_engine)


def test_docker_works_over_mutual_tls(secured: SecuredEngine) -> None:
    done = secured.docker("version", "--format", "{{.Server.Version}}")
    assert done.returncode == 0, done.stderr
    done = secured.docker("run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (done.stdout, done.stderr, done.returncode) == (b"out\n", b"err\n", 3)

    # docker ends its side of TLS when its stdin is over; the output comes after that.
    text = bytes(range(256)) * 4000
    script = "cat > /tmp/in; sleep 0.2; cat /tmp/in"
    done = secured.docker("run", "-i", "--rm", "busybox", "sh", "-c", script, stdin=text)
    assert done.returncode == 0, done.stderr
    assert done.stdout == text

    container = secured.engine.up()
    done = secured.docker("exec", "-i", container, "cat", stdin=b"through exec")
    assert (done.stdout, done.returncode) == (b"through exec", 0)
    secured.engine.remove(container)


def test_strangers_are_not_served(secured: SecuredEngine, tmp_path: Path) -> None:
    done = secured.docker("version", identity=[])
    assert done.returncode != 0
    (tmp_path / "other").mkdir()
    certificate, key = Authority(tmp_path / "other", "other").issue("eve", usage="clientAuth")
    done = secured.docker("ps", identity=[f"--tlscert={certificate}", f"--tlskey={key}"])
    assert done.returncode != 0
    host, _, port = secured.host.removeprefix("tcp://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as plain:
        plain.sendall(b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n")
        assert b"OK" not in plain.recv(1000)
    assert secured.docker("ps").returncode == 0, "the engine serves on"


def test_plain_tcp_is_refused_unless_asked_for_by_name() -> None:
    engine = EngineUnderTest(f"--host=tcp://127.0.0.1:{free_port()}")
    try:
        engine.spawn()
        assert engine.await_death() == 1
        assert "TCP without TLS gives root to everybody" in engine.log_tail()
        assert "--tls=false" in engine.log_tail()
    finally:
        engine.destroy()


def test_plain_tcp_can_be_asked_for(make_engine: Callable[..., EngineUnderTest]) -> None:
    port = free_port()
    engine = make_engine(f"--host=tcp://127.0.0.1:{port}", "--tls=false")
    done = engine.docker("-H", f"tcp://127.0.0.1:{port}", "run", "-i", "--rm", "busybox", "cat")
    assert done.ok().code == 0
    assert "is root" in engine.log_tail(), "the log warns"
