"""Where plugins are."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from naru.errors import InvalidInputError
from naru.volumes.plugin_discovery import find, names
from naru.volumes.plugin_protocol import Address


def _listen(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def test_sockets_and_files_are_found_also_in_directories_of_their_own(tmp_path: Path) -> None:
    run, etc = tmp_path / "run", tmp_path / "etc"
    run.mkdir()
    _listen(run / "plain.sock")
    _listen(run / "nested" / "nested.sock")
    (etc / "far").mkdir(parents=True)
    (etc / "far" / "far.spec").write_text("tcp://127.0.0.1:7070\n")
    (etc / "near.json").write_text('{"Name": "near", "Addr": "unix:///near.sock"}')
    (etc / "plain.spec").write_text("unix:///never.sock")
    (etc / "ordinary.sock").write_text("a file")
    (etc / "notes.txt").write_text("")
    directories = [str(tmp_path / "absent"), str(run), str(etc)]
    assert names(directories) == ["far", "near", "nested", "plain"]
    assert find(directories, "plain") == Address(path=str(run / "plain.sock"))
    assert find(directories, "nested") == Address(path=str(run / "nested" / "nested.sock"))
    assert find(directories, "far") == Address(host="127.0.0.1", port=7070)
    assert find(directories, "near") == Address(path="/near.sock")
    for unknown in ("ordinary", "notes", "absent"):
        assert find(directories, unknown) is None


def test_a_name_cannot_lead_out_of_the_directories(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "secret.spec").write_text("unix:///x")
    for name in ("../secret", "/etc/passwd", "", ".", "a/b", "x\0"):
        assert find([str(tmp_path / "plugins")], name) is None


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("a.spec", "ftp://x", "expected unix://PATH or tcp://HOST:PORT, got 'ftp://x'"),
        ("a.spec", "unix://", "expected unix://PATH"),
        ("a.spec", "tcp://host:port", "Port could not be cast"),
        ("a.json", "{", "Input data was truncated"),
        ("a.json", "{}", "got ''"),
        ("a.json", '{"Addr": "tcp://h:1", "TLSConfig": {"CAFile": "/nonesuch"}}', "No such file"),
    ],
)
def test_a_file_that_makes_no_sense_is_named(
    tmp_path: Path, name: str, text: str, why: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InvalidInputError) as caught:
        find([str(tmp_path)], "a")
    assert str(tmp_path / name) in caught.value.message
    assert why in caught.value.message


def test_a_plugin_may_want_tls(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(
        '{"Addr": "https://localhost:1", "TLSConfig": {"InsecureSkipVerify": true}}'
    )
    found = find([str(tmp_path)], "a")
    assert found is not None
    assert found.tls is not None
    assert not found.tls.check_hostname
