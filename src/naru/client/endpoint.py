"""Where the engine listens: host texts and TLS files become an `Endpoint`."""

from __future__ import annotations

import os

from naru.errors import InvalidInputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_HOST = "unix:///run/naru.sock"
_DEFAULT_TCP_NAME = "localhost"
_DEFAULT_TCP_PORT = "2375"
_UNRESOLVED = "unable to resolve docker endpoint: "


class TlsFiles:
    """The files of a mutual TLS connection; an empty path means none."""

    __slots__ = ("ca", "cert", "key", "verify")

    def __init__(self, ca: str, cert: str, key: str, *, verify: bool) -> None:
        self.ca = ca
        self.cert = cert
        self.key = key
        self.verify = verify


class TlsFlags:
    """What the flags `--tls`, `--tlsverify`, `--tlscacert`, `--tlscert`, `--tlskey` said.

    None stands for a flag that was not given.
    """

    __slots__ = ("ca", "cert", "key", "tls", "verify")

    def __init__(
        self,
        *,
        tls: bool | None = None,
        verify: bool | None = None,
        ca: str | None = None,
        cert: str | None = None,
        key: str | None = None,
    ) -> None:
        self.tls = tls
        self.verify = verify
        self.ca = ca
        self.cert = cert
        self.key = key


class Endpoint:
    """One place to dial.

    `host` is the text that users see, `scheme` is `unix`, `tcp` or `ssh`, `address` a socket path
    or a `(name, port)` pair (port 0: what ssh's configuration says), `base_path` what goes before
    every request's path. `user` and `remote_socket` are for ssh, and may be empty.
    """

    __slots__ = (
        "address",
        "base_path",
        "host",
        "is_default",
        "remote_socket",
        "scheme",
        "tls",
        "user",
    )

    def __init__(
        self,
        host: str,
        scheme: str,
        address: str | tuple[str, int],
        *,
        base_path: str = "",
        tls: TlsFiles | None = None,
        is_default: bool = False,
        user: str = "",
        remote_socket: str = "",
    ) -> None:
        self.host = host
        self.scheme = scheme
        self.address = address
        self.base_path = base_path
        self.tls = tls
        self.is_default = is_default
        self.user = user
        self.remote_socket = remote_socket

    @property
    def path(self) -> str:
        """The socket's path, or "" for TCP."""
        return self.address if isinstance(self.address, str) else ""


def resolve(
    host_flag: str | None, environ: Mapping[str, str], tls: TlsFlags | None = None
) -> Endpoint:
    """Choose the engine: the `-H` flag, then NARU_HOST, then DOCKER_HOST, then our default.

    Raises:
        InvalidInputError: the host text or a TLS file is no good, in Docker's words without
            the `Failed to initialize: ` in front.

    Spec: docker/cli, opts/hosts.go and cli/command/cli.go.
    """
    text = next(
        (t for t in (host_flag, environ.get("NARU_HOST"), environ.get("DOCKER_HOST")) if t), ""
    ).strip()
    endpoint = parse_host(text or DEFAULT_HOST)
    endpoint.is_default = not text
    if endpoint.scheme != "ssh":
        endpoint.tls = _tls_files(environ, tls or TlsFlags())
    return endpoint


def parse_host(text: str) -> Endpoint:
    """Read `unix://PATH`, `tcp://HOST:PORT/BASE`, `ssh://USER@HOST:PORT/SOCKET`, a bare `HOST:PORT`.

    Raises:
        InvalidInputError: in Docker's words.
    """
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "tcp", text
    if scheme == "tcp":
        return _parse_tcp(rest)
    if scheme == "ssh":
        return _parse_ssh(text, rest)
    if scheme == "unix":
        if "://" in rest:
            raise InvalidInputError(f"{_UNRESOLVED}invalid proto, expected unix: {rest}")
        path = rest or DEFAULT_HOST.removeprefix("unix://")
        return Endpoint(f"unix://{path}", "unix", path)
    if scheme == "fd":
        raise InvalidInputError(f"unable to parse docker host `{text}`")
    if scheme == "npipe":
        raise InvalidInputError("protocol not available")
    raise InvalidInputError(f"{_UNRESOLVED}invalid bind address format: {text}")


def _parse_tcp(rest: str) -> Endpoint:
    if "://" in rest:
        raise InvalidInputError(f"{_UNRESOLVED}invalid proto, expected tcp: {rest}")
    authority, slash, path = rest.partition("/")
    if authority.startswith("["):
        name, _, tail = authority[1:].partition("]")
        port = tail.removeprefix(":")
    else:
        name, _, port = authority.rpartition(":") if ":" in authority else (authority, "", "")
    if (port and not (port.isascii() and port.isdigit())) or (":" in name and authority[0] != "["):
        bad = authority[authority.index(":") :] if ":" in name else f":{port}"
        bad = f":{port}" if port and not port.isdigit() else bad
        raise InvalidInputError(
            f'{_UNRESOLVED}parse "tcp://{rest}": invalid port "{bad}" after host'
        )
    name = name or _DEFAULT_TCP_NAME
    port = port or _DEFAULT_TCP_PORT
    if int(port) > 65535:
        raise InvalidInputError(f"{_UNRESOLVED}invalid bind address format: {rest}")
    shown = f"[{name}]" if ":" in name else name
    host = f"tcp://{shown}:{port}{slash}{path}"
    base_path = f"/{path.strip('/')}" if path.strip("/") else ""
    return Endpoint(host, "tcp", (name, int(port)), base_path=base_path)


def _parse_ssh(text: str, rest: str) -> Endpoint:
    """Spec: docker/cli, connhelper/ssh, ParseURL."""
    problem = "ssh host connection is not valid: invalid SSH URL: "
    rest, _, fragment = rest.partition("#")
    rest, _, query = rest.partition("?")
    authority, slash, path = rest.partition("/")
    user, _, place = authority.rpartition("@")
    name, _, port = place.partition(":")
    if place.startswith("["):
        name, _, port = place[1:].partition("]")
        port = port.removeprefix(":")
    if ":" in user:
        raise InvalidInputError(f"{problem}plain-text password is not supported")
    if not name:
        raise InvalidInputError(f"{problem}hostname is empty")
    if query:
        raise InvalidInputError(f'{problem}query parameters are not allowed: "{query}"')
    if fragment:
        raise InvalidInputError(f'{problem}fragments are not allowed: "{fragment}"')
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) <= 65535):
        raise InvalidInputError(f'{problem}"{port}" is no port')
    return Endpoint(
        text,
        "ssh",
        (name, int(port or 0)),
        user=user,
        remote_socket=f"/{path}" if slash and path else "",
    )


def _tls_files(environ: Mapping[str, str], flags: TlsFlags) -> TlsFiles | None:
    """Say which TLS files a connection uses, or None for a plain one.

    The environment's words are the defaults of the flags; naming a file alone turns nothing on.
    """
    env_verify = environ.get("DOCKER_TLS_VERIFY", "") != ""
    wants_verify = flags.verify if flags.verify is not None else env_verify
    wants_tls = flags.tls if flags.tls is not None else environ.get("DOCKER_TLS", "") != ""
    if not wants_tls and not wants_verify and flags.verify is None:
        return None
    folder = environ.get("DOCKER_CERT_PATH") or config_folder(environ)
    ca = flags.ca if flags.ca is not None else os.path.join(folder, "ca.pem")
    cert = flags.cert if flags.cert is not None else os.path.join(folder, "cert.pem")
    key = flags.key if flags.key is not None else os.path.join(folder, "key.pem")
    if flags.cert is None and not os.path.exists(cert):
        cert = ""
    if flags.key is None and not os.path.exists(key):
        key = ""
    for path in filter(None, (ca, cert, key)):
        try:
            os.close(os.open(path, os.O_RDONLY))
        except OSError as error:
            reason = (error.strerror or "").lower()
            raise InvalidInputError(f"{_UNRESOLVED}open {path}: {reason}") from error
    return TlsFiles(ca, cert, key, verify=bool(wants_verify))


def config_folder(environ: Mapping[str, str]) -> str:
    """Return where `config.json` and the TLS files lie: DOCKER_CONFIG, else `~/.docker`."""
    return environ.get("DOCKER_CONFIG") or os.path.join(
        environ.get("HOME") or os.path.expanduser("~"), ".docker"
    )
