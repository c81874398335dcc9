"""What the engine warns of when its API is open to the network."""

from __future__ import annotations

import pytest

from naru.daemon.checks import open_api_warnings
from naru.daemon.config import load_config


@pytest.mark.parametrize(
    ("words", "beginnings"),
    [
        (["-H", "unix:///run/x.sock"], []),
        (
            ["-H", "tcp://0.0.0.0:2375", "--tls=false"],
            ["WARNING: API is accessible on http://0.0.0.0:2375 without encryption.\n"],
        ),
        (
            ["-H", "tcp://:2376", "--tls"],
            ["WARNING: API is accessible on https://:2376 without TLS client verification.\n"],
        ),
        (["-H", "tcp://:2376", "--tlsverify"], []),
    ],
)
def test_an_api_that_strangers_reach_is_warned_of(words: list[str], beginnings: list[str]) -> None:
    found = open_api_warnings(load_config(words, version="1"))
    assert [text.partition("\n")[0] + "\n" for text in found] == beginnings
    assert all("equivalent to root access on the host" in text for text in found)
