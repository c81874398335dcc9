"""Which proxy a URL is fetched through, if any. Pure.

Spec: Go, golang.org/x/net/http/httpproxy, whose rules users of Docker know.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from naru.errors import InvalidInputError

_PORTS = {"http": 80, "https": 443}
# The name and password of a URL: all that stands before the last @ of its host.
_LOGIN = re.compile(r"^([a-z][a-z0-9+.-]*://|)[^/?#]*@", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Proxies:
    """Proxies for http and for https, and whom to ask without one. They are spoken to in http.

    `no_proxy` is a list with commas: hosts, which stand for everything below them too, `.domain`
    or `*.domain` for what is below alone, addresses and networks, all but networks with or
    without a port; `*` for everybody. Loopback is never asked through a proxy.
    """

    http: str = ""
    https: str = ""
    no_proxy: str = ""

    def __post_init__(self) -> None:
        """Check the addresses.

        Raises:
            InvalidInputError: one is no proxy that we speak to.
        """
        for name, value in (("http", self.http), ("https", self.https)):
            _check(f"{name}-proxy", value)

    @classmethod
    def configured(
        cls, http: str, https: str, no_proxy: str, environ: Mapping[str, str]
    ) -> Proxies:
        """Return what was configured; what was not comes from the environment.

        Raises:
            InvalidInputError: an address is no proxy that we speak to.
        """

        def found(given: str, name: str) -> str:
            return given or environ.get(name) or environ.get(name.lower()) or ""

        return cls(
            found(http, "HTTP_PROXY"), found(https, "HTTPS_PROXY"), found(no_proxy, "NO_PROXY")
        )

    @property
    def environ(self) -> dict[str, str]:
        """Return the variables that tell curl, and what is built on it, the same."""
        direct = ",".join(filter(None, (self.no_proxy, "localhost,127.0.0.1,::1")))
        named = {"http_proxy": self.http, "https_proxy": self.https}
        given = {name: _with_scheme(proxy) for name, proxy in named.items() if proxy}
        return {**given, "no_proxy": direct} if given else {}

    def proxy_for(self, scheme: str, host: str, port: int | None) -> str | None:
        """Return the URL of the proxy for a request, None where there is none. Never fails."""
        proxy = self.https if scheme == "https" else self.http
        if not proxy or self._is_direct(host.lower().rstrip("."), port or _PORTS.get(scheme, 0)):
            return None
        return _with_scheme(proxy)

    def _is_direct(self, host: str, port: int) -> bool:
        address = _address(host)
        if host == "localhost" or (address is not None and address.is_loopback):
            return True
        entries = (entry.strip().lower() for entry in self.no_proxy.split(","))
        return any(_matches(entry, host, port, address) for entry in entries if entry)


def _matches(
    entry: str,
    host: str,
    port: int,
    address: ipaddress.IPv4Address | ipaddress.IPv6Address | None,
) -> bool:
    if entry == "*":
        return True
    if "/" in entry:
        try:
            return address is not None and address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    name, wanted = _split_port(entry)
    if wanted and wanted != str(port):
        return False
    named = _address(name)
    if named is not None or address is not None:
        return named is not None and named == address
    domain = name.removeprefix("*")
    if domain.startswith("."):
        return len(domain) > 1 and host.endswith(domain)
    return bool(domain) and (host == domain or host.endswith(f".{domain}"))


def _split_port(entry: str) -> tuple[str, str]:
    if entry.startswith("["):
        name, _, rest = entry[1:].partition("]")
        return name, rest.removeprefix(":")
    if entry.count(":") > 1:
        return entry, ""
    name, _, port = entry.partition(":")
    return name, port


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _with_scheme(proxy: str) -> str:
    return proxy if "://" in proxy else f"http://{proxy}"


def without_login(url: str) -> str:
    """Return the URL of a proxy with its name and password made unreadable, as Docker does."""
    return _LOGIN.sub(r"\1xxxxx:xxxxx@", url)


def _check(name: str, proxy: str) -> None:
    if not proxy:
        return
    try:
        parts = urlsplit(_with_scheme(proxy))
        is_good = parts.scheme == "http" and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        is_good = False
    if not is_good:
        raise InvalidInputError(
            f"invalid {name} {without_login(proxy)!r}: expected http://HOST[:PORT]"
        )
