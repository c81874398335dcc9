"""Where a registry is reached: mirrors first, over https, and over http only where allowed.

Owns the policy; opens no connection. The policy comes from the engine's configuration and never
changes while the engine runs.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from naru.errors import InvalidInputError

DOCKER_HUB = "docker.io"
_HUB_ENDPOINT = "registry-1.docker.io"
_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One base URL that serves a registry's `/v2/`.

    `base_url` has no slash at its end. A plain-http endpoint and one whose certificate is not
    checked are both `is_insecure`. Credentials go to the registry itself, never to a mirror.
    """

    base_url: str
    host: str
    is_mirror: bool = False
    is_insecure: bool = False


@dataclass(frozen=True, slots=True)
class HostsConfig:
    """Which registries are trusted less, and which have copies nearby.

    `mirrors` holds `--registry-mirror` values: a bare URL mirrors Docker Hub, and
    `registry=URL` any other registry. `insecure_registries` holds `--insecure-registry` values:
    a host with or without a port, or a network in CIDR form. `certificates` holds one folder
    per `host[:port]` with `*.crt` (authorities) and `*.cert` + `*.key` (our own).
    """

    insecure_registries: tuple[str, ...] = ()
    mirrors: tuple[str, ...] = ()
    certificates: Path = field(default=Path("/etc/docker/certs.d"))

    def __post_init__(self) -> None:
        for mirror in self.mirrors:
            _split_mirror(mirror)
        for entry in self.insecure_registries:
            _check_insecure(entry)

    def endpoints(self, registry: str) -> list[Endpoint]:
        """Return the places to ask for `registry`, best first. Pure.

        An insecure host comes twice: over https with any certificate, then over http.

        Spec: dockerd, --registry-mirror and --insecure-registry; loopback is always insecure.
        """
        found: list[Endpoint] = []
        for mirrored, url in map(_split_mirror, self.mirrors):
            if mirrored == registry:
                host = urlsplit(url).netloc
                insecure = url.startswith("http://") or self.is_insecure(host)
                found.append(Endpoint(url, host, is_mirror=True, is_insecure=insecure))
        host = _HUB_ENDPOINT if registry == DOCKER_HUB else registry
        insecure = self.is_insecure(host)
        found.append(Endpoint(f"https://{host}", host, is_insecure=insecure))
        if insecure:
            found.append(Endpoint(f"http://{host}", host, is_insecure=True))
        return found

    def is_insecure(self, host: str) -> bool:
        """Say whether `host[:port]` may be talked to without a verified certificate."""
        name = _host_name(host)
        if name == "localhost" or host in self.insecure_registries:
            return True
        if name in self.insecure_registries:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        networks = (*_LOOPBACK, *_networks(self.insecure_registries))
        return any(address in network for network in networks)

    def tls_context(self, endpoint: Endpoint) -> ssl.SSLContext:
        """Return how TLS is spoken to `endpoint`. Reads the certificate folder; costs 10 ms.

        Raises:
            InvalidInputError: a certificate in the folder cannot be used.
        """
        context = ssl.create_default_context()
        folder = self.certificates / endpoint.host
        try:
            for authority in sorted(folder.glob("*.crt")):
                context.load_verify_locations(authority)
            for certificate in sorted(folder.glob("*.cert")):
                context.load_cert_chain(certificate, certificate.with_suffix(".key"))
        except (OSError, ssl.SSLError) as error:
            raise InvalidInputError(f"certificates in {folder} cannot be used: {error}") from error
        if endpoint.is_insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host if host.count(":") > 1 else host.partition(":")[0]


def _networks(
    entries: Sequence[str],
) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return [ipaddress.ip_network(entry, strict=False) for entry in entries if "/" in entry]


def _split_mirror(value: str) -> tuple[str, str]:
    registry, separator, url = value.partition("=")
    if not separator or "://" in registry:
        registry, url = DOCKER_HUB, value
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise InvalidInputError(
            f'invalid mirror: unsupported scheme "{parts.scheme}" in "{value}"',
            hint="write http://host or https://host, with registry= in front for one that is "
            "not Docker Hub",
        )
    if parts.query or parts.fragment or parts.username:
        raise InvalidInputError(f'invalid mirror: path, query, or fragment in "{value}"')
    return registry, url.rstrip("/")


def _check_insecure(entry: str) -> None:
    if "://" in entry:
        raise InvalidInputError(f"insecure registry {entry} should not contain '://'")
    if "/" not in entry:
        return
    try:
        ipaddress.ip_network(entry, strict=False)
    except ValueError as error:
        raise InvalidInputError(f"insecure registry {entry} is not valid: {error}") from error
