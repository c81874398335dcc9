"""Engines behind ssh, with a stand-in for ssh that runs its command here."""

from __future__ import annotations

from pathlib import Path

import pytest

from naru.client.endpoint import parse_host
from naru.client.ssh import dial_ssh, ssh_argv
from naru.client.transport import Client
from naru.errors import UnavailableError

_ECHO = "#!/bin/sh\nprintf '%s|' \"$@\"\nexec cat\n"


def program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder that is all of the PATH but for the system's own programs."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    # What sshd does: the words, joined, are the login shell's.
    program(tmp_path, "ssh", '#!/bin/sh\nfor last; do :; done\nexec /bin/sh -c "$last"\n')
    return tmp_path


def said(url: str) -> bytes:
    stream = dial_ssh(parse_host(url))
    stream.sendall(b"ping")
    stream.shutdown(1)
    data = b""
    while piece := stream.recv(100):
        data += piece
    stream.close()
    stream.close()
    return data


def test_user_port_and_host_are_told_as_options() -> None:
    argv = ssh_argv(parse_host("ssh://me@prod:2222/a b.sock"))
    assert argv[:-1] == "ssh -o ConnectTimeout=30 -T -l me -p 2222 -- prod".split()
    assert argv[-1].count("unix:///a b.sock") == 2
    assert ssh_argv(parse_host("ssh://prod"))[:-1] == "ssh -o ConnectTimeout=30 -T -- prod".split()


def test_a_host_that_looks_like_an_option_is_none() -> None:
    assert ssh_argv(parse_host("ssh://-oProxyCommand=x"))[-3:-1] == ["--", "-oProxyCommand=x"]


def test_naru_is_run_over_there_or_else_docker(folder: Path) -> None:
    program(folder, "docker", _ECHO)
    if not Path("/usr/bin/naru").exists():
        assert said("ssh://prod/s.sock") == b"-H|unix:///s.sock|system|dial-stdio|ping"
    program(folder, "naru", _ECHO.replace("printf", "echo naru; printf"))
    assert said("ssh://prod") == b"naru\nsystem|dial-stdio|ping"
    assert said("ssh://prod/a 'b'.sock") == b"naru\n-H|unix:///a 'b'.sock|system|dial-stdio|ping"


def test_the_words_of_an_ssh_that_fails_are_the_error(folder: Path) -> None:
    program(
        folder, "ssh", "#!/bin/sh\necho 'me@prod: Permission denied (publickey).' >&2\nexit 255"
    )
    client = Client(parse_host("ssh://me@prod"))
    with pytest.raises(UnavailableError) as raised:
        client.ping()
    client.close()
    message = raised.value.message
    assert message.startswith("error during connect: command [ssh -o ConnectTimeout=30 -T -l me")
    assert "exit status 255" in message
    assert message.endswith("stderr=me@prod: Permission denied (publickey).")


def test_a_machine_without_ssh_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match="cannot run ssh: No such file or directory"):
        dial_ssh(parse_host("ssh://prod"))


def test_an_ssh_that_does_not_end_is_ended(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(folder, "ssh", "#!/bin/sh\nexec sleep 1000")
    monkeypatch.setattr("naru.client.ssh._PATIENCE_S", 0.05)
    stream = dial_ssh(parse_host("ssh://prod"))
    stream.close()
    assert stream._process.returncode == -9
