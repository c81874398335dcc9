"""One request to the engine and its answer: a value, a stream, a raw response or an error."""

from __future__ import annotations

import _thread
import select

from naru import errors
from naru.client import json_text
from naru.client.wire import BrokenConnectionError, Reader, Response, dial, print_request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from naru.client.endpoint import Endpoint

    Query = Mapping[str, Any] | None
    Headers = Mapping[str, str] | None

MAX_API_VERSION = "1.50"
_USER_AGENT = "Naru-Client"
_MAX_ERROR_BODY = 1 << 20


class Client:
    """The Engine API at one endpoint. Connections are kept and used again; threads may share it.

    Every call raises the kind of `NaruError` that the answer's status stands for, its message as
    the engine gave it, and UnavailableError when nobody listens.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._version = (environ or {}).get("DOCKER_API_VERSION", "").removeprefix("v")
        self._idle: list[Reader] = []
        self._lock = _thread.allocate_lock()
        self.server_headers: dict[str, str] = {}

    @property
    def api_version(self) -> str:
        """The version that we speak with this engine: the lower of ours and its own."""
        if not self._version:
            self.ping()
            theirs = self.server_headers.get("api-version", "") or "1.24"
            self._version = min(theirs, MAX_API_VERSION, key=version_key)
        return self._version

    def ping(self) -> dict[str, str]:
        """Ask whether the engine is there; return its headers (`api-version`, `ostype`, …)."""
        response = self._exchange("HEAD", "/_ping", {}, None, needs_version=False)
        if response.status != 200:
            response = self._exchange("GET", "/_ping", {}, None, needs_version=False)
            self._check(response)
        self._finish(response)
        self.server_headers = response.headers
        return response.headers

    def get(self, path: str, query: Query = None, headers: Headers = None) -> Any:
        """GET a value; None when the answer has no body."""
        return self._value(self.raw("GET", path, query, headers=headers))

    def post(
        self, path: str, query: Query = None, body: Any = None, headers: Headers = None
    ) -> Any:
        """POST `body` (a JSON value, bytes or an iterable of bytes) and return the answer."""
        return self._value(self.raw("POST", path, query, body, headers))

    def put(self, path: str, query: Query = None, body: Any = None, headers: Headers = None) -> Any:
        """PUT `body` (a JSON value, bytes or an iterable of bytes) and return the answer."""
        return self._value(self.raw("PUT", path, query, body, headers))

    def delete(self, path: str, query: Query = None, headers: Headers = None) -> Any:
        """DELETE, and return the answer."""
        return self._value(self.raw("DELETE", path, query, headers=headers))

    def head(self, path: str, query: Query = None) -> dict[str, str]:
        """Return the headers of the answer to HEAD, names in lower case."""
        return self.raw("HEAD", path, query).headers

    def stream(
        self,
        method: str,
        path: str,
        query: Query = None,
        body: Any = None,
        headers: Headers = None,
    ) -> Iterator[Any]:
        """Yield the answer's JSON records as they come.

        An `error` record is yielded like any other: what it means is the caller's to say.
        """
        response = self.raw(method, path, query, body, headers)
        try:
            yield from _records(response)
        finally:
            self._finish(response)

    def raw(
        self,
        method: str,
        path: str,
        query: Query = None,
        body: Any = None,
        headers: Headers = None,
    ) -> Response:
        """Return the response, whose status was checked; read its body, then `release` it."""
        target = f"{path}{print_query(query)}"
        response = self._exchange(method, target, dict(headers or {}), body)
        self._check(response)
        return response

    def release(self, response: Response) -> None:
        """Give the connection of a response back; one that was not read to its end is dropped."""
        self._finish(response)

    def hijack(
        self, path: str, query: Query = None, body: Any = None, headers: Headers = None
    ) -> Reader:
        """POST, and take the connection over; its reader holds what came with the answer's head."""
        upgrade = {"Connection": "Upgrade", "Upgrade": "tcp", **(headers or {})}
        target = f"{path}{print_query(query)}"
        response = self._exchange("POST", target, upgrade, body, fresh=True)
        if response.status not in (101, 200):
            self._check(response)
            raise errors.FaultError(f"unable to upgrade to tcp, received {response.status}")
        return response.reader

    def close(self) -> None:
        """Drop the kept connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for reader in idle:
            reader.stream.close()

    def _exchange(
        self,
        method: str,
        target: str,
        headers: dict[str, str],
        body: Any,
        *,
        needs_version: bool = True,
        fresh: bool = False,
    ) -> Response:
        if needs_version:
            target = f"/v{self.api_version}{target}"
        payload, chunks = _encode_body(body, headers)
        head = print_request(
            method,
            f"{self.endpoint.base_path}{target}",
            {"Host": self._host_header(), "User-Agent": _USER_AGENT, **headers},
        )
        while True:
            kept = None if fresh else self._take_idle()
            reader = kept or Reader(dial(self.endpoint))
            try:
                early = _send(reader, head + payload, chunks)
                return early or _answer(reader, to_head=method == "HEAD")
            except BrokenConnectionError as error:
                reader.stream.close()
                # A kept connection may be closed in the very moment that it is used again;
                # trying once more is harmless where asking twice is.
                if kept is None or method not in ("GET", "HEAD"):
                    raise errors.UnavailableError(
                        f"error during connect: {method} {target}: EOF"
                    ) from error
            except BaseException:
                reader.stream.close()
                raise

    def _take_idle(self) -> Reader | None:
        """Return a kept connection that the engine has not closed meanwhile."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                reader = self._idle.pop()
            # Nothing was asked, so anything to read is the end of the connection.
            if not select.select([reader.stream], [], [], 0)[0]:
                return reader
            reader.stream.close()

    def _host_header(self) -> str:
        address = self.endpoint.address
        if isinstance(address, str):
            return "api.moby.localhost"
        name, port = address
        return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"

    def _finish(self, response: Response) -> None:
        if response.can_reuse:
            with self._lock:
                if response.reader not in self._idle:
                    self._idle.append(response.reader)
        else:
            response.close()

    def _check(self, response: Response) -> None:
        if (200 <= response.status < 400 and response.status != 304) or response.status == 101:
            return
        text = response.read(_MAX_ERROR_BODY)
        self._finish(response)
        from naru.errormap import error_from_response

        status = response.status
        raise error_from_response(status, *_message_and_hint(status, text))

    def _value(self, response: Response) -> Any:
        text = response.read()
        self._finish(response)
        if not text.strip():
            return None
        if "json" not in response.headers.get("content-type", "json"):
            return text.decode("utf-8", "replace")
        try:
            return json_text.loads(text)
        except ValueError as error:
            raise errors.FaultError(f"the engine's answer is no JSON: {error}") from error


def version_key(version: str) -> tuple[int, ...]:
    """Order API versions: `1.9` comes before `1.41`."""
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))


def print_query(query: Query) -> str:
    """Return `?name=value&…` in the order of the names; "" for nothing.

    Booleans become 1 and 0, lists repeat their name, dicts become JSON, None is left out.
    """
    pairs: list[str] = []
    for name, value in sorted((query or {}).items()):
        if value is None:
            continue
        for item in value if isinstance(value, list | tuple) else (value,):
            if isinstance(item, bool):
                text = "1" if item else "0"
            elif isinstance(item, dict):
                text = json_text.dumps(item)
            else:
                text = str(item)
            pairs.append(f"{quote(name)}={quote(text)}")
    return "?" + "&".join(pairs) if pairs else ""


_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def quote(text: str, safe: bytes = b"") -> str:
    """Percent-encode what is not plain in a URL."""
    return "".join(
        chr(byte) if byte in _PLAIN or byte in safe else f"%{byte:02X}"
        for byte in text.encode("utf-8", "surrogateescape")
    )


def _encode_body(body: Any, headers: dict[str, str]) -> tuple[bytes, Iterable[bytes] | None]:
    """Set the length headers; return what goes out with the head and what is streamed."""
    if body is None:
        return b"", None
    if isinstance(body, dict | list):
        payload = json_text.dumps(body).encode("utf-8", "surrogateescape")
        headers.setdefault("Content-Type", "application/json")
    elif isinstance(body, bytes):
        payload = body
    else:
        headers["Transfer-Encoding"] = "chunked"
        return b"", body
    headers["Content-Length"] = str(len(payload))
    return payload, None


def _answer(reader: Reader, *, to_head: bool = False) -> Response:
    while (response := Response(reader, to_head=to_head)).status == 100:
        pass
    return response


def _send(reader: Reader, head: bytes, chunks: Iterable[bytes] | None) -> Response | None:
    """Send a request, as far as the engine wants it; return the answer if that comes before."""
    stream = reader.stream
    early: Response | None = None
    try:
        stream.sendall(head)
        if chunks is None:
            return None
        for chunk in chunks:
            early = _early_answer(reader, early)
            if early is not None and (early.is_done or early.status >= 400):
                # The rest would be read for nothing, and may have no end.
                early.end_connection()
                return early
            if chunk:
                stream.sendall(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        stream.sendall(b"0\r\n\r\n")
    except (BrokenPipeError, ConnectionResetError):
        # The engine may have answered before it read everything: its answer says why.
        if early is not None:
            early.end_connection()
    return early


def _early_answer(reader: Reader, early: Response | None) -> Response | None:
    """Return what has come of an answer so far; None while that is nothing."""
    while reader.has_some():
        if early is None:
            early = _answer(reader)
        elif early.is_done:
            break
        else:
            early.read_ahead()
    return early


def _message_and_hint(status: int, text: bytes) -> tuple[str, str]:
    """Take these out of an error's body, whatever its form; only ours have hints."""
    try:
        value = json_text.loads(text)
    except ValueError:
        value = None
    if isinstance(value, dict) and isinstance(value.get("message"), str):
        return value["message"].strip(), str(value.get("hint") or "")
    plain = text.decode("utf-8", "replace").strip()
    return plain or f"the engine answered with status {status} and no message", ""


def _records(response: Response) -> Iterator[Any]:
    pending = b""
    for data in response:
        lines = (pending + data).split(b"\n")
        pending = lines.pop()
        for line in lines:
            if line.strip():
                yield json_text.loads(line)
        # Old engines put no line end behind a record: a whole value will do.
        if pending.endswith((b"}", b"}\r")):
            try:
                record = json_text.loads(pending)
            except ValueError:
                continue
            pending = b""
            yield record
    if pending.strip():
        yield json_text.loads(pending)
