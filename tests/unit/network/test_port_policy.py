"""Where ports are published that name no address, and who is asked."""

from __future__ import annotations

import pytest

from naru.errors import InvalidInputError
from naru.network.port_policy import PortPolicy, port_policy


def test_the_words_say_who_is_asked() -> None:
    assert port_policy("open", "0.0.0.0") == PortPolicy(("0.0.0.0",))
    assert port_policy("host-firewall", "192.0.2.1") == PortPolicy(("192.0.2.1",), asks_host=True)


def test_addresses_are_where_ports_are_published() -> None:
    assert port_policy("127.0.0.1", "0.0.0.0").addresses == ("127.0.0.1",)
    assert port_policy("127.0.0.1, 0:0::1,::1", "0.0.0.0").addresses == ("127.0.0.1", "::1")


@pytest.mark.parametrize("text", ["", "closed", "127.0.0.1,", "fe80::1%eth0", "127.0.0.1:80"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match=r"invalid published-ports-policy: .*: expected"):
        port_policy(text, "0.0.0.0")


def test_two_places_that_say_where_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="both say where ports are published"):
        port_policy("127.0.0.1", "192.0.2.1")
