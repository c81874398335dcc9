"""Where the command dials."""

from __future__ import annotations

from pathlib import Path

import pytest

from naru.client.endpoint import TlsFlags, parse_host, resolve
from naru.errors import InvalidInputError

_HOME = {"HOME": "/nowhere"}


def test_the_flag_comes_before_the_environment_and_ours_before_dockers() -> None:
    environ = {"NARU_HOST": "unix:///n", "DOCKER_HOST": "unix:///d"}
    assert resolve("unix:///f", environ).path == "/f"
    assert resolve(None, environ).path == "/n"
    assert resolve(None, {"DOCKER_HOST": "unix:///d"}).path == "/d"
    default = resolve("", {})
    assert (default.path, default.is_default) == ("/run/naru.sock", True)


@pytest.mark.parametrize(
    ("text", "host", "address"),
    [
        ("unix:///a", "unix:///a", "/a"),
        ("unix://", "unix:///run/naru.sock", "/run/naru.sock"),
        ("tcp://", "tcp://localhost:2375", ("localhost", 2375)),
        ("localhost", "tcp://localhost:2375", ("localhost", 2375)),
        (":1", "tcp://localhost:1", ("localhost", 1)),
        ("1.2.3.4:5", "tcp://1.2.3.4:5", ("1.2.3.4", 5)),
        ("tcp://[::1]:5", "tcp://[::1]:5", ("::1", 5)),
        ("tcp://a:5/base", "tcp://a:5/base", ("a", 5)),
    ],
)
def test_hosts_are_read_as_docker_reads_them(text: str, host: str, address: object) -> None:
    endpoint = parse_host(text)
    assert (endpoint.host, endpoint.address) == (host, address)


def test_a_base_path_goes_before_every_request() -> None:
    assert parse_host("tcp://a:5/base/").base_path == "/base"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("foo://x", "unable to resolve docker endpoint: invalid bind address format: foo://x"),
        (
            "tcp://a:b:c",
            'unable to resolve docker endpoint: parse "tcp://a:b:c": invalid port ":c" after host',
        ),
        (
            "tcp://a:po",
            'unable to resolve docker endpoint: parse "tcp://a:po": invalid port ":po" after host',
        ),
        (
            "unix:///a://b",
            "unable to resolve docker endpoint: invalid proto, expected unix: /a://b",
        ),
        ("fd://", "unable to parse docker host `fd://`"),
        ("npipe://x", "protocol not available"),
    ],
)
def test_bad_hosts_are_refused_in_dockers_words(text: str, problem: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_host(text)
    assert caught.value.message == problem


def test_tls_needs_its_authority(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    with pytest.raises(InvalidInputError) as caught:
        resolve("tcp://a:1", environ, TlsFlags(tls=True))
    assert caught.value.message == (
        f"unable to resolve docker endpoint: open {tmp_path}/.docker/ca.pem: "
        "no such file or directory"
    )


def test_tls_files_come_from_their_folder(tmp_path: Path) -> None:
    for name in ("ca.pem", "cert.pem"):
        (tmp_path / name).touch()
    environ = _HOME | {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)}
    files = resolve("tcp://a:1", environ).tls
    assert files is not None
    assert (files.ca, files.cert, files.key) == (f"{tmp_path}/ca.pem", f"{tmp_path}/cert.pem", "")
    assert files.verify


def test_naming_a_file_alone_turns_nothing_on() -> None:
    assert resolve("tcp://a:1", _HOME, TlsFlags(cert="/nope")).tls is None


def test_ssh_names_a_machine_and_maybe_a_user_a_port_and_a_socket() -> None:
    plain = parse_host("ssh://prod")
    assert (plain.scheme, plain.address, plain.user, plain.remote_socket) == (
        "ssh",
        ("prod", 0),
        "",
        "",
    )
    whole = parse_host("ssh://me@10.0.0.1:2222/run/naru.sock")
    assert (whole.address, whole.user, whole.remote_socket) == (
        ("10.0.0.1", 2222),
        "me",
        "/run/naru.sock",
    )
    assert parse_host("ssh://[::1]:22/").address == ("::1", 22)
    assert whole.host == "ssh://me@10.0.0.1:2222/run/naru.sock"


def test_ssh_takes_no_tls(tmp_path: Path) -> None:
    environ = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)}
    assert resolve("ssh://prod", environ).tls is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("ssh://", "hostname is empty"),
        ("ssh://me@", "hostname is empty"),
        ("ssh://me:secret@h", "plain-text password is not supported"),
        ("ssh://h?x=1", 'query parameters are not allowed: "x=1"'),
        ("ssh://h#x", 'fragments are not allowed: "x"'),
        ("ssh://h:99999", '"99999" is no port'),
        ("ssh://h:x", '"x" is no port'),
    ],
)
def test_a_bad_ssh_url_is_refused_in_dockers_words(text: str, problem: str) -> None:
    with pytest.raises(InvalidInputError) as raised:
        parse_host(text)
    words = "ssh host connection is not valid: invalid SSH URL: "
    assert raised.value.message == words + problem
