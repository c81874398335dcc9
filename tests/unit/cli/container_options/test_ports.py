"""Published and exposed ports."""

from __future__ import annotations

import pytest

from naru.cli.container_options.ports import read_exposed, read_published
from naru.errors import InvalidInputError


def bound(address: str, port: str) -> list[dict[str, str]]:
    return [{"HostIp": address, "HostPort": port}]


@pytest.mark.parametrize(
    ("spec", "bindings"),
    [
        ("80", {"80/tcp": bound("", "")}),
        ("8080:80/UDP", {"80/udp": bound("", "8080")}),
        ("127.0.0.1::80", {"80/tcp": bound("127.0.0.1", "")}),
        ("[::1]:8080:80", {"80/tcp": bound("::1", "8080")}),
        ("::1:8080:80", {"80/tcp": bound("::1", "8080")}),
        ("8000-8010:80", {"80/tcp": bound("", "8000-8010")}),
        ("8000-8001:90-91", {"90/tcp": bound("", "8000"), "91/tcp": bound("", "8001")}),
        ("target=80,published=8080,protocol=udp", {"80/udp": bound("", "8080")}),
    ],
)
def test_ports_are_published(spec: str, bindings: object) -> None:
    assert read_published([spec]) == bindings


def test_bindings_of_one_port_add_up() -> None:
    assert len(read_published(["1:80", "2:80"])["80/tcp"]) == 2


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("", "no port specified: <empty>"),
        ("a", "invalid containerPort: a"),
        ("a:80", "invalid hostPort: a"),
        ("80-70", "invalid containerPort: 80-70"),
        ("65536", "invalid containerPort: 65536"),
        ("80/x", "invalid proto: x"),
        ("1.2.3:80:80", "invalid IP address: 1.2.3"),
        ("[::1:80:80", "invalid IP address [::1: address [::1:: missing ']' in address"),
        ("1-3:1-2", "invalid ranges specified for container and host Ports: 1-2 and 1-3"),
        ("a=b,c", "invalid publish opts format (should be name=value but got 'c')"),
    ],
)
def test_bad_ports_are_refused_in_dockers_words(spec: str, problem: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read_published([spec])
    assert caught.value.message == problem


def test_ports_are_exposed() -> None:
    assert read_exposed(["80", "90-91/udp"]) == ["80/tcp", "90/udp", "91/udp"]


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("1:2", "invalid port format for --expose: 1:2"),
        ("", "invalid range format for --expose: , error: empty string specified for ports"),
        (
            "2-1",
            "invalid range format for --expose: 2-1, error: invalid range specified for port: 2-1",
        ),
    ],
)
def test_bad_exposed_ports_are_refused(spec: str, problem: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read_exposed([spec])
    assert caught.value.message == problem
