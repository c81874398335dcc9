"""A token service of one's own: accounts with rights, tokens that registries verify, and a log.

It speaks both dialects, GET with a name and a password and OAuth2's POST, and signs what
`docker-registry` takes as `auth.token`.

Spec: distribution, "Token Authentication Specification", its OAuth2 variant and its JWT.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import secrets
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from fakes.certificates import Authority
from harness import web

SERVICE, ISSUER = "naru-test-registry", "naru-test-tokens"
# P-256: what an ES256 signature's two numbers take.
_NUMBER = 32


@dataclass(frozen=True)
class Account:
    """Somebody's password, and what may be done: patterns of repositories to actions.

    The actions are `pull`, `push` and `delete`; the pattern `catalog` with `*` lets somebody list
    all repositories.
    """

    password: str
    rights: Mapping[str, str] = field(default_factory=lambda: {"*": "pull,push,delete"})


@dataclass(frozen=True)
class Asked:
    """One request: how, by whom ("" for nobody), and with which parameters."""

    method: str
    account: str
    parameters: Mapping[str, list[str]]

    @property
    def scopes(self) -> list[str]:
        """Return what was asked for."""
        return [scope for text in self.parameters.get("scope", []) for scope in text.split()]


class TokenServer:
    """Gives tokens out until its block ends; `accounts` and `life_s` may change meanwhile.

    `public` is what anybody may do. With `refreshes`, who shows a password may have a refresh
    token as well; without, passwords are all there is, as with older services.
    """

    def __init__(
        self,
        folder: Path,
        accounts: Mapping[str, Account],
        *,
        public: Mapping[str, str] | None = None,
        refreshes: bool = True,
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        self.accounts = dict(accounts)
        self.public = dict(public or {})
        self.refreshes = refreshes
        self.life_s = 300
        self.asked: list[Asked] = []
        self.granted: list[list[dict[str, Any]]] = []
        self._refresh_tokens: dict[str, str] = {}
        authority = Authority(folder, "token-ca")
        self.roots = authority.certificate
        signer, self._key = authority.issue("token-signer", usage="clientAuth")
        pem = signer.read_text(encoding="ascii")
        self._chain = ["".join(pem.splitlines()[1:-1])]
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(self))
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        scheme = "http" if certificate is None else "https"
        self.realm = f"{scheme}://127.0.0.1:{self._server.server_address[1]}/token"

    @contextlib.contextmanager
    def running(self) -> Iterator[TokenServer]:
        """Serve for the length of the block."""
        with web.running(self._server):
            yield self

    def revoke(self, account: str) -> None:
        """Make all refresh tokens of somebody worthless."""
        self._refresh_tokens = {
            token: owner for token, owner in self._refresh_tokens.items() if owner != account
        }

    # -- answers ---------------------------------------------------------------------------------

    def answer(
        self, method: str, parameters: Mapping[str, list[str]], authorization: str
    ) -> tuple[int, dict[str, Any]]:
        """Return status and body for one request."""
        try:
            account = self._account(method, parameters, authorization)
        except PermissionError as error:
            self.asked.append(Asked(method, "", parameters))
            return 401, {"errors": [{"code": "UNAUTHORIZED", "message": str(error)}]}
        asked = Asked(method, account, parameters)
        self.asked.append(asked)
        access = self._intersection(account, asked.scopes)
        self.granted.append(access)
        token = self._sign(account, access)
        body: dict[str, Any] = {"access_token": token, "expires_in": self.life_s}
        wants_refresh = (
            parameters.get("offline_token") == ["true"]
            or parameters.get("access_type") == ["offline"]
            or parameters.get("grant_type") == ["refresh_token"]
        )
        if account and wants_refresh and self.refreshes:
            body["refresh_token"] = self._refresh_token(account, parameters)
        if method == "GET":
            body["token"] = token
        return 200, body

    def _account(self, method: str, parameters: Mapping[str, list[str]], authorization: str) -> str:
        """Return who asks, "" for nobody.

        Raises:
            PermissionError: it is somebody who cannot prove it.
        """
        if method == "POST" and parameters.get("grant_type") == ["refresh_token"]:
            token = parameters.get("refresh_token", [""])[0]
            if token not in self._refresh_tokens:
                raise PermissionError("invalid refresh token")
            return self._refresh_tokens[token]
        if method == "POST":
            name = parameters.get("username", [""])[0]
            password = parameters.get("password", [""])[0]
        elif authorization.startswith("Basic "):
            with contextlib.suppress(binascii.Error):
                authorization = base64.b64decode(authorization[6:]).decode()
            name, _, password = authorization.partition(":")
        else:
            return ""
        if name not in self.accounts or self.accounts[name].password != password:
            raise PermissionError("incorrect username or password")
        return name

    def _refresh_token(self, account: str, parameters: Mapping[str, list[str]]) -> str:
        shown = parameters.get("refresh_token", [""])[0]
        if shown in self._refresh_tokens:
            return shown
        token = secrets.token_hex(16)
        self._refresh_tokens[token] = account
        return token

    def _intersection(self, account: str, scopes: list[str]) -> list[dict[str, Any]]:
        """Return what of `scopes` somebody may do: less than asked for is no error."""
        rights = self.accounts[account].rights if account else self.public
        granted = []
        for scope in scopes:
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            allowed = {
                action
                for pattern, text in rights.items()
                if fnmatchcase(name, pattern) and (kind == "repository" or pattern == name)
                for action in text.split(",")
            }
            both = sorted(allowed & set(actions.split(",")))
            granted.append({"type": kind, "name": name, "actions": both})
        return granted

    def _sign(self, account: str, access: list[dict[str, Any]]) -> str:
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": account,
            "aud": SERVICE,
            "iat": now,
            "nbf": now - 10,
            "exp": now + self.life_s,
            "jti": secrets.token_hex(8),
            "access": access,
        }
        header = {"typ": "JWT", "alg": "ES256", "x5c": self._chain}
        text = ".".join(_unpadded(json.dumps(part).encode()) for part in (header, claims))
        signed = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", str(self._key)],
            input=text.encode(),
            capture_output=True,
            check=True,
        ).stdout
        return f"{text}.{_unpadded(_numbers_of(signed))}"


def _numbers_of(der: bytes) -> bytes:
    """Return the two numbers of an ECDSA signature in DER, 32 bytes each."""
    first = der[4 : 4 + der[3]]
    second = der[6 + der[3] :]
    numbers = [int.from_bytes(number, "big") for number in (first, second)]
    return b"".join(number.to_bytes(_NUMBER, "big") for number in numbers)


def _unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _handler_for(tokens: TokenServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._respond("GET", urlsplit(self.path).query)

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            self._respond("POST", self.rfile.read(length).decode())

        def _respond(self, method: str, form: str) -> None:
            authorization = self.headers.get("Authorization", "")
            status, body = tokens.answer(method, parse_qs(form), authorization)
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: `asked` is the log."""

    return Handler
