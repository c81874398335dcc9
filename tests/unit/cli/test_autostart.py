"""An engine is started only where that is our job."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

import pytest

from naru.cli import autostart
from naru.client.endpoint import Endpoint
from naru.errors import FaultError

_SERVER = """#!/usr/bin/env python3
import socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind({path!r})
server.listen()
while True:
    connection, _ = server.accept()
    request = connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\\r\\nApi-Version: 1.50\\r\\nContent-Length: 0\\r\\n\\r\\n")
    connection.close()
    if b"bye" in request:
        sys.exit()
"""


@pytest.fixture
def endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Endpoint:
    path = str(tmp_path / "naru.sock")
    monkeypatch.setattr(autostart, "LOG_PATH", str(tmp_path / "naru.log"))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return Endpoint(f"unix://{path}", "unix", path, is_default=True)


def _program(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "narud"
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return [str(path)]


def test_engine_is_started_once_and_waited_for(
    endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids: list[int] = []
    spawn = autostart._spawn

    def noted(program: list[str]) -> int:
        pids.append(spawn(program))
        return pids[0]

    monkeypatch.setattr(autostart, "_spawn", noted)
    program = _program(tmp_path, _SERVER.format(path=endpoint.path))
    monkeypatch.setattr(autostart, "_engine_program", lambda: program)
    stderr = io.StringIO()
    try:
        autostart.ensure_engine(endpoint, stderr)
        assert stderr.getvalue().startswith(f"No engine was running: started {program[0]}")
        assert os.getsid(pids[0]) == pids[0]
        autostart.ensure_engine(endpoint, stderr)
        assert len(pids) == 1
        assert stderr.getvalue().count("\n") == 1
    finally:
        for pid in pids:
            os.kill(pid, 9)
            os.waitpid(pid, 0)


def test_engine_that_ends_at_once_is_an_error(
    endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = _program(tmp_path, "#!/bin/sh\necho no good\nexit 3\n")
    monkeypatch.setattr(autostart, "_engine_program", lambda: program)
    with pytest.raises(FaultError, match="ended while it started"):
        autostart.ensure_engine(endpoint, io.StringIO())
    assert (tmp_path / "naru.log").read_text() == "no good\n"


def test_users_other_than_root_start_nothing(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(autostart, "_spawn", lambda _program: pytest.fail("started"))
    autostart.ensure_engine(endpoint, io.StringIO())
