"""Where a registry is reached: mirrors first, over https, and over http only where allowed.

Owns the policy; opens no connection. The policy is a value, made of the engine's configuration;
a reload makes another.
"""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from naru.errors import InvalidInputError
from naru.oci.reference import DEFAULT_REGISTRY

DOCKER_HUB = DEFAULT_REGISTRY
ANY_REGISTRY = "*"
_HUB_ENDPOINT = "registry-1.docker.io"
_HUB_INDEX = "index.docker.io"
_HOST = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_PASSWORD = re.compile(r"(://[^/?#]*?):[^/?#]*@")
_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One base URL that serves a registry's `/v2/`.

    `base_url` has no slash at its end. A plain-http endpoint and one whose certificate is not
    checked are both `is_insecure`. A mirror of several registries is told by `namespace` which
    one it stands in for. Credentials go to whom they are for, never to a mirror of it.
    """

    base_url: str
    host: str
    is_mirror: bool = False
    is_insecure: bool = False
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class HostsConfig:
    """Which registries are trusted less, and which have copies nearby.

    `mirrors` holds `--registry-mirror` values: a bare URL mirrors Docker Hub, `registry=URL` any
    other registry, and `*=URL` each that has no mirror of its own, except for loopback.
    `insecure_registries` holds `--insecure-registry` values: a host with or without a port, or a
    network in CIDR form. `certificates` holds one folder per `host[:port]` with `*.crt`
    (authorities) and `*.cert` + `*.key` (our own).
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
        found = self.mirrors_of(registry)
        host = _HUB_ENDPOINT if registry == DOCKER_HUB else registry
        insecure = self.is_insecure(host)
        found.append(Endpoint(f"https://{host}", host, is_insecure=insecure))
        if insecure:
            found.append(Endpoint(f"http://{host}", host, is_insecure=True))
        return found

    def search_endpoints(self, registry: str) -> list[Endpoint]:
        """Return the places to search `registry` at, best first: Docker Hub has one for that."""
        found = self.endpoints(registry)
        if registry != DOCKER_HUB:
            return found
        mirrors = [endpoint for endpoint in found if endpoint.is_mirror]
        return [*mirrors, Endpoint(f"https://{_HUB_INDEX}", _HUB_INDEX)]

    def mirrors_of(self, registry: str) -> list[Endpoint]:
        """Return the copies of `registry`, in the order of the configuration. Pure."""
        pairs = [_split_mirror(mirror) for mirror in self.mirrors]
        named = registry if any(name == registry for name, _ in pairs) else ANY_REGISTRY
        if named == ANY_REGISTRY and _is_loopback(registry):
            return []
        found = []
        for name, url in pairs:
            if name == named:
                host = urlsplit(url).netloc
                insecure = url.startswith("http://") or self.is_insecure(host)
                # As containerd says it. One that serves one registry knows which.
                told = registry if name == ANY_REGISTRY else ""
                found.append(Endpoint(url, host, True, insecure, told))
        return found

    def mirrored(self) -> dict[str, list[str]]:
        """Return the URLs of all mirrors by registry, each with a slash at its end, as dockerd."""
        found: dict[str, list[str]] = {}
        for name, url in map(_split_mirror, self.mirrors):
            found.setdefault(name, []).append(f"{url}/")
        return found

    def is_insecure(self, host: str) -> bool:
        """Say whether `host[:port]` may be talked to without a verified certificate."""
        name = _host_name(host)
        if _is_loopback(host) or not {host, name}.isdisjoint(self.insecure_registries):
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            # Whoever answers for a name does not get to say that it need not prove who it is.
            return False
        return any(address in network for network in _networks(self.insecure_registries))

    def certificate_files(self, endpoint: Endpoint) -> tuple[tuple[str, int, int], ...]:
        """Return name, time of change and size of what `tls_context` would read.

        It differs when that does: users put certificates there while the engine runs.
        """
        try:
            with os.scandir(self.certificates / endpoint.host) as entries:
                stats = [(entry.name, entry.stat()) for entry in entries]
        except OSError:
            return ()
        return tuple(sorted((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats))

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


def is_host(text: str) -> bool:
    """Say whether `text` can be a registry: a host, with or without a port."""
    return _HOST.fullmatch(text) is not None


def shown(url: object) -> str:
    """Return a URL as it may be told and logged: without its password, as Go's client has it."""
    return _PASSWORD.sub(r"\1:***@", str(url))


def is_web_address(url: str) -> bool:
    """Say whether `url` is one of http or https that somebody could be asked at."""
    try:
        parts = urlsplit(url)
        is_possible = parts.port is None or parts.port > 0
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and is_possible


def stranger_at(url: str) -> Endpoint:
    """Return whom to ask for `url`, who is no registry of ours: the certificate must be good.

    Raises:
        InvalidInputError: it is no address of http or https.
    """
    parts = urlsplit(url) if is_web_address(url) else None
    host = parts.netloc.rpartition("@")[2] if parts else ""
    if parts is None or not host.isprintable():
        raise InvalidInputError(f"{shown(url)!r} is no address of http or https")
    return Endpoint(f"{parts.scheme}://{host}", host)


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host if host.count(":") > 1 else host.partition(":")[0]


def _networks(
    entries: Sequence[str],
) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return [ipaddress.ip_network(entry, strict=False) for entry in entries if "/" in entry]


def _is_loopback(host: str) -> bool:
    name = _host_name(host)
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name == "localhost"
    return any(address in network for network in _LOOPBACK)


def _split_mirror(value: str) -> tuple[str, str]:
    """Return registry and URL, the latter without a slash at its end.

    Raises:
        InvalidInputError: it is no mirror. Spec: moby, registry.ValidateMirror.
    """
    registry, separator, url = value.partition("=")
    if not separator or "://" in registry:
        registry, url = DOCKER_HUB, value
    elif registry != ANY_REGISTRY and not is_host(registry):
        raise InvalidInputError(f'invalid mirror: "{registry}" in "{value}" is no registry')
    scheme, separator, _ = url.partition("://")
    wanted = "must use either 'https://' or 'http://'"
    if not separator or not scheme:
        raise InvalidInputError(f'invalid mirror: no scheme specified for "{url}": {wanted}')
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise InvalidInputError(f'invalid mirror: "{url}" is not a valid URI: {error}') from error
    if parts.scheme not in ("http", "https"):
        raise InvalidInputError(
            f'invalid mirror: unsupported scheme "{parts.scheme}" in "{url}": {wanted}'
        )
    if parts.username is not None:
        shown = url.replace(f":{parts.password}@", ":xxxxx@") if parts.password else url
        raise InvalidInputError(f'invalid mirror: username/password not allowed in URI "{shown}"')
    if parts.query or parts.fragment:
        raise InvalidInputError(f'invalid mirror: query or fragment at end of the URI "{url}"')
    if not is_host(parts.netloc):
        raise InvalidInputError(f'invalid mirror: "{url}" is not a valid URI: no host')
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
