"""Links on the default network: what they are called, and what they tell."""

from __future__ import annotations

import pytest

from naru.errors import InvalidInputError
from naru.network.etc_files import with_links, with_own_addresses
from naru.network.legacy_links import LegacyLink, parse_link, variables


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("db", ("db", "db")),
        ("db:alias", ("db", "alias")),
        ("/db:/web/alias", ("db", "alias")),
    ],
)
def test_a_link_is_read_in_all_its_forms(text: str, parsed: tuple[str, str]) -> None:
    assert parse_link(text) == parsed


@pytest.mark.parametrize("text", ["", "a:b:c", ":alias", "/"])
def test_what_is_no_link_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="links"):
        parse_link(text)


def test_variables_tell_ports_in_their_order_and_the_environment() -> None:
    link = LegacyLink(
        "/web/my-db", "10.0.0.2", "db", "host", ("81/tcp", "80/tcp", "80/udp"), ("A=1", "HOME=/", "B")
    )  # fmt: skip
    told = variables([link])
    assert told[0] == "MY_DB_PORT=tcp://10.0.0.2:80"
    assert [entry for entry in told if "_TCP=" in entry or "_UDP=" in entry] == [
        "MY_DB_PORT_80_TCP=tcp://10.0.0.2:80",
        "MY_DB_PORT_80_UDP=udp://10.0.0.2:80",
        "MY_DB_PORT_81_TCP=tcp://10.0.0.2:81",
    ]
    assert "MY_DB_PORT_81_TCP_ADDR=10.0.0.2" in told
    assert told[-2:] == ["MY_DB_NAME=/web/my-db", "MY_DB_ENV_A=1"]


def test_the_hosts_file_names_the_other_by_alias_host_name_and_name() -> None:
    assert LegacyLink("/web/db", "", "db", "host").host_names == ["db", "host"]
    assert LegacyLink("/web/alias", "", "db", "host").host_names == ["alias", "host", "db"]


def test_links_in_a_hosts_file_move_and_go_and_nothing_else() -> None:
    text = "127.0.0.1\tlocalhost\n10.0.0.2\tdb host\n# mine\n10.0.0.3\tme\n"
    moved = with_links(text, {"db host": "10.0.0.9"})
    assert moved == text.replace("10.0.0.2", "10.0.0.9")
    assert with_links(text, {"db host": ""}) == text.replace("10.0.0.2\tdb host\n", "")


def test_own_addresses_in_a_hosts_file_come_and_go_and_nothing_else() -> None:
    text = "127.0.0.1\tlocalhost\n10.0.0.2\tme\n192.0.2.9\tmine"
    more = with_own_addresses(
        text, hostname="me", domainname="", addresses=["10.0.0.2", "fd00::2", ""]
    )
    assert more == f"{text}\nfd00::2\tme\n"
    assert with_own_addresses(more, hostname="me", domainname="", addresses=()) == (
        "127.0.0.1\tlocalhost\n192.0.2.9\tmine\n"
    )
