"""Times, sizes and ports read as docker's."""

from __future__ import annotations

import pytest

from naru.cli import human

_HOUR = 3600
_DAY = 24 * _HOUR


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.5, "Less than a second"),
        (1.9, "1 second"),
        (59, "59 seconds"),
        (60, "About a minute"),
        (119, "About a minute"),
        (120, "2 minutes"),
        (59 * 60 + 59, "59 minutes"),
        (_HOUR, "About an hour"),
        (1.4 * _HOUR, "About an hour"),
        (1.5 * _HOUR, "2 hours"),
        (47 * _HOUR, "47 hours"),
        (2 * _DAY, "2 days"),
        (13 * _DAY, "13 days"),
        (14 * _DAY, "2 weeks"),
        (59 * _DAY, "8 weeks"),
        (60 * _DAY, "2 months"),
        (729 * _DAY, "24 months"),
        (730 * _DAY, "2 years"),
    ],
)
def test_durations_read_as_in_docker(seconds: float, text: str) -> None:
    assert human.duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0B"), (999, "999B"), (1000, "1kB"), (1_984_172, "1.98MB"), (170e6, "170MB")],
)
def test_sizes_have_three_digits(count: float, text: str) -> None:
    assert human.size(count) == text


@pytest.mark.parametrize(
    ("text", "width", "cut"),
    [
        ("short", 20, "short"),
        ("sh -c 'echo a very long command line'", 20, "sh -c 'echo a very …"),
        ("exactly twenty chars", 20, "exactly twenty chars"),
        ("日本語日本語", 6, "日本…"),
        ("日本", 4, "日本"),
        ("abc", 1, "a"),
    ],
)
def test_long_texts_are_cut_to_columns(text: str, width: int, cut: str) -> None:
    assert human.truncate(text, width) == cut


def _port(private: int, public: int = 0, address: str = "", kind: str = "tcp") -> dict[str, object]:
    port: dict[str, object] = {"PrivatePort": private, "Type": kind}
    return port | ({"IP": address, "PublicPort": public} if address else {})


@pytest.mark.parametrize(
    ("ports", "text"),
    [
        ([], ""),
        ([_port(80)], "80/tcp"),
        ([_port(81), _port(80), _port(82), _port(90)], "80-82/tcp, 90/tcp"),
        ([_port(80, 8080, "0.0.0.0")], "0.0.0.0:8080->80/tcp"),
        ([_port(80, 8080, "::")], "[::]:8080->80/tcp"),
        (
            [_port(number, number, "0.0.0.0") for number in (8000, 8001, 8002)],
            "0.0.0.0:8000-8002->8000-8002/tcp",
        ),
        ([_port(80, 80, "0.0.0.0"), _port(80, 80, "::")], "0.0.0.0:80->80/tcp, [::]:80->80/tcp"),
        (
            [_port(53, kind="udp"), _port(53), _port(80, 8080, "127.0.0.1")],
            "53/tcp, 53/udp, 127.0.0.1:8080->80/tcp",
        ),
    ],
)
def test_ports_are_gathered_into_ranges(ports: list[dict[str, object]], text: str) -> None:
    assert human.ports(ports) == text


def test_ids_are_shortened_without_their_algorithm() -> None:
    assert human.short_id("sha256:" + "ab" * 32) == "ab" * 6
    assert human.short_id("cd" * 32) == "cd" * 6
