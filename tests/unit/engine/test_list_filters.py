"""What the values of `ps` filters mean, and which are refused how."""

from __future__ import annotations

import pytest

from naru.engine.containers.list_filters import exit_code, mount_names, port_range
from naru.errors import InvalidInputError


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("80", (80, 80, "tcp")),
        ("80/udp", (80, 80, "udp")),
        ("8000-8010/sctp", (8000, 8010, "sctp")),
        ("0-65535", (0, 65535, "tcp")),
        ("007", (7, 7, "tcp")),
    ],
)
def test_ports_are_one_or_a_range(text: str, found: tuple[int, int, str]) -> None:
    assert port_range("publish", text) == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "error while looking up for expose : empty string specified for ports"),
        ("/udp", "error while looking up for expose /udp: empty string specified for ports"),
        (
            "x",
            'error while looking up for expose x: strconv.ParseUint: parsing "x": invalid syntax',
        ),
        (
            "70000",
            'error while looking up for expose 70000: strconv.ParseUint: parsing "70000": value out of range',
        ),
        (
            "5-3/tcp",
            "error while looking up for expose 5-3/tcp: invalid range specified for port: 5-3",
        ),
        ("80:90", "filter for 'expose' should not contain ':': 80:90"),
        ("-", 'error while looking up for expose -: strconv.ParseUint: parsing "": invalid syntax'),
        (
            "²",
            'error while looking up for expose ²: strconv.ParseUint: parsing "²": invalid syntax',
        ),
    ],
)
def test_what_is_no_port_is_refused_in_dockers_words(text: str, message: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        port_range("expose", text)
    assert caught.value.message == message


def test_a_number_of_absurd_length_is_refused_unread() -> None:
    with pytest.raises(InvalidInputError, match="value out of range"):
        port_range("publish", "9" * 100_000)
    with pytest.raises(InvalidInputError, match="value out of range"):
        exit_code("9" * 100_000)
    assert port_range("publish", "0" * 100_000 + "1") == (1, 1, "tcp")


@pytest.mark.parametrize(("text", "code"), [("0", 0), ("137", 137), ("-1", -1), ("+3", 3)])
def test_exit_codes_are_numbers(text: str, code: int) -> None:
    assert exit_code(text) == code


@pytest.mark.parametrize("text", ["", "x", "1.5", "--1", " 1", "²"])
def test_what_is_no_exit_code_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        exit_code(text)
    assert caught.value.message == f'strconv.Atoi: parsing "{text}": invalid syntax'


def test_a_volume_is_named_by_its_name_and_a_bind_by_its_source() -> None:
    volume = {"Name": "data", "Source": "/var/lib/data/_data", "Destination": "/v"}
    bind = {"Source": "/srv", "Destination": "/host"}
    assert mount_names([volume, bind]) == {"data", "/v", "/srv", "/host"}
