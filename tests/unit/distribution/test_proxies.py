"""Which requests go through a proxy."""

from __future__ import annotations

import pytest

from naru.distribution.proxies import Proxies, without_login
from naru.errors import InvalidInputError

_PROXY = "http://proxy:3128"


def _goes_through(no_proxy: str, host: str, port: int | None = None) -> bool:
    proxies = Proxies(https=_PROXY, no_proxy=no_proxy)
    return proxies.proxy_for("https", host, port) == _PROXY


@pytest.mark.parametrize(
    ("no_proxy", "host", "port", "through"),
    [
        ("", "hub.lan", None, True),
        ("*", "hub.lan", None, False),
        ("hub.lan", "hub.lan", None, False),
        ("hub.lan", "HUB.lan.", None, False),
        ("hub.lan", "a.hub.lan", None, False),
        ("hub.lan", "myhub.lan", None, True),
        (".hub.lan", "a.hub.lan", None, False),
        (".hub.lan", "hub.lan", None, True),
        ("*.hub.lan", "a.b.hub.lan", None, False),
        ("*.hub.lan", "hub.lan", None, True),
        ("hub.lan:5000", "hub.lan", 5000, False),
        ("hub.lan:5000", "hub.lan", None, True),
        ("hub.lan:443", "hub.lan", None, False),
        ("a, ,hub.lan", "hub.lan", None, False),
        ("10.0.0.0/8", "10.1.2.3", None, False),
        ("10.0.0.0/8", "11.1.2.3", None, True),
        ("10.0.0.0/8", "ten.lan", None, True),
        ("10.0.0.0/99", "10.1.2.3", None, True),
        ("10.1.2.3", "10.1.2.3", 5000, False),
        ("10.1.2.3:5000", "10.1.2.3", 443, True),
        ("fd00::1", "fd00::1", None, False),
        ("[fd00::1]:443", "fd00::1", None, False),
        ("2.3", "10.1.2.3", None, True),
        (".", "hub.lan", None, True),
        (":443", "hub.lan", None, True),
    ],
)
def test_no_proxy_says_who_is_asked_directly(
    no_proxy: str, host: str, port: int | None, *, through: bool
) -> None:
    assert _goes_through(no_proxy, host, port) is through


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_is_never_asked_through_a_proxy(host: str) -> None:
    assert not _goes_through("", host)


def test_each_scheme_has_its_proxy() -> None:
    proxies = Proxies(http="a.lan:1", https="http://b.lan:2")
    assert proxies.proxy_for("http", "hub.lan", None) == "http://a.lan:1"
    assert proxies.proxy_for("https", "hub.lan", None) == "http://b.lan:2"
    assert Proxies(http="a.lan").proxy_for("https", "hub.lan", None) is None


def test_what_is_not_configured_comes_from_the_environment() -> None:
    environ = {"HTTP_PROXY": "http://a", "https_proxy": "http://b", "NO_PROXY": "c"}
    assert Proxies.configured("", "", "", environ) == Proxies("http://a", "http://b", "c")
    assert Proxies.configured("x:1", "y:1", "z", environ) == Proxies("x:1", "y:1", "z")
    assert Proxies.configured("", "", "", {}) == Proxies()


def test_programs_are_told_the_same_by_their_environment() -> None:
    assert Proxies("a.lan:1", "http://b.lan", "c.lan").environ == {
        "http_proxy": "http://a.lan:1",
        "https_proxy": "http://b.lan",
        "no_proxy": "c.lan,localhost,127.0.0.1,::1",
    }
    assert Proxies(no_proxy="c.lan").environ == {}


@pytest.mark.parametrize(
    "proxy", ["socks5://me:secret@p:1", "https://p", "http://", "p:port", "http://[::1"]
)
def test_a_proxy_that_is_none_is_refused(proxy: str) -> None:
    with pytest.raises(
        InvalidInputError, match=r"^invalid https-proxy .*expected http://HOST"
    ) as e:
        Proxies(https=proxy)
    assert "secret" not in e.value.message


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://me:secret@proxy:3128", "http://xxxxx:xxxxx@proxy:3128"),
        ("https://me:p@ss@proxy/", "https://xxxxx:xxxxx@proxy/"),
        ("http://me@proxy", "http://xxxxx:xxxxx@proxy"),
        ("me:secret@proxy:3128", "xxxxx:xxxxx@proxy:3128"),
        ("http://proxy:3128", "http://proxy:3128"),
        ("http://proxy/a@b", "http://proxy/a@b"),
        ("", ""),
    ],
)
def test_the_login_of_a_proxy_is_nobodys_business(url: str, shown: str) -> None:
    assert without_login(url) == shown
