"""Registries that lie get the words of an error, some memory and some time, and no secrets."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator

import pytest
from yarl import URL

from fakes.lying_registry import Lie, LyingRegistry, answer, challenge, dripping, endless
from fakes.memory_sink import MemorySink
from naru.clock import SystemClock
from naru.distribution import failures, fetch, pace, session
from naru.distribution.auth import RegistryAuth
from naru.distribution.download import download
from naru.distribution.fetch import RemoteRepository
from naru.distribution.hosts import Endpoint, HostsConfig, shown
from naru.distribution.login import log_in
from naru.distribution.receiving import receive
from naru.distribution.search import search
from naru.distribution.session import EndpointSession, HttpClient, RegistryUnreachableError
from naru.distribution.upload import Answer
from naru.errors import FaultError, InvalidInputError, NaruError
from naru.oci.descriptor import Descriptor
from naru.oci.digest import Digest, digest_bytes


class _Sink:
    offset = 0

    def write_all(self, pieces: object) -> None:
        raise AssertionError("nothing of this is to be kept")


_NESTED = b'{"x":' + b"[" * 100_000
_LATIN = b'{"tags":["\xff"],"repositories":["\xff"],"token":"\xff"}'
_AUTH = RegistryAuth("me", "secret", server_address="")


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    made = HttpClient(HostsConfig(), attempts=1)
    yield made
    await made.close()


def _remote(client: HttpClient, host: str) -> RemoteRepository:
    return RemoteRepository(client, host, "x", _AUTH, SystemClock())


def _bearer(realm: str) -> str:
    return f'Bearer realm="{realm}",service="s"'


@pytest.mark.parametrize("body", [_NESTED, _LATIN])
async def test_answers_that_are_no_json_are_named(client: HttpClient, body: bytes) -> None:
    async with LyingRegistry({"/v2/": answer(200), "/token": answer(200, body)}) as registry:
        registry.lies |= {"/v2/x/tags": answer(200, body), "/v2/_catalog": answer(200, body)}
        with pytest.raises(FaultError, match=r"^registry sent no list of tags: "):
            await _remote(client, registry.host).tags()
        with pytest.raises(FaultError, match=r"^registry sent no catalog: "):
            await search(client, registry.host, "x", limit=9, auth=None, clock=SystemClock())
        registry.lies["/v2/x"] = answer(400, body)
        with pytest.raises(FaultError, match=r"^error parsing HTTP 400 response body: "):
            await _remote(client, registry.host).manifest("1")
        registry.lies["/v2/"] = challenge(_bearer(f"http://{registry.host}/token"))
        with pytest.raises(FaultError, match=r"sent no token: "):
            await _remote(client, registry.host).manifest("1")


@pytest.mark.parametrize("token", [r"a\r\nX: y", r"\u0000", r"\u20ac", r"\u001b"])
async def test_tokens_that_are_none_are_not_sent(client: HttpClient, token: str) -> None:
    async with LyingRegistry() as registry:
        registry.lies["/v2/"] = challenge(_bearer(f"http://{registry.host}/token"))
        registry.lies["/token"] = answer(200, f'{{"token":"{token}"}}'.encode())
        with pytest.raises(FaultError, match=r"sent a malformed token$"):
            await _remote(client, registry.host).manifest("1")


@pytest.mark.parametrize(
    "where",
    [
        "http://[/",
        "http://../x",
        "http://h:99999/",
        "file:///etc/passwd",
        "http://h\x01",
    ],
)
async def test_addresses_that_are_none_are_errors(client: HttpClient, where: str) -> None:
    async with LyingRegistry({"/v2/": answer(307, headers=[("Location", where)])}) as registry:
        with pytest.raises(NaruError):
            await _remote(client, registry.host).manifest("1")
        registry.lies["/v2/"] = challenge(_bearer(where))
        with pytest.raises(NaruError):
            await _remote(client, registry.host).manifest("1")
        registry.lies["/v2/"] = answer(200, b"{}", [("Link", f'<{where}>; rel="next"')])
        with pytest.raises(FaultError, match=r"^list continues "):
            await _remote(client, registry.host).tags()


@pytest.mark.parametrize("told", ["http://[/", "http://h:99999/", "file:///x", "javascript:x"])
def test_uploads_go_to_addresses_only(told: str) -> None:
    begun = Answer(202, {"Location": told}, URL("https://r.example/v2/a/blobs/uploads/"))
    with pytest.raises(FaultError, match=r"^https://r\.example sends uploads to no address: "):
        begun.location()


@pytest.mark.parametrize("url", ["http://..", "http://a\0b/", "http://[/x", "http://h:99999/"])
async def test_files_are_fetched_from_addresses_only(client: HttpClient, url: str) -> None:
    with pytest.raises(NaruError):
        async for _ in download(client, url):
            pass


async def test_login_in_an_address_is_not_sent_beside_our_own(client: HttpClient) -> None:
    async with LyingRegistry({"/token": answer(200, b'{"token":"x"}')}) as registry:
        registry.lies["/v2/"] = challenge(_bearer(f"http://you:pw@{registry.host}/token"))
        with pytest.raises(FaultError, match=r"^request cannot be sent: "):
            await _remote(client, registry.host).manifest("1")


async def test_lists_end(client: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "_TAGS_LIMIT", 1 << 20)
    async with LyingRegistry({"/v2/": answer(200), "/v2/x/tags": endless()}) as registry:
        with pytest.raises(FaultError, match=r"is longer than 1048576 bytes$"):
            await _remote(client, registry.host).tags()
        page = b'{"tags":["' + b"a" * 300_000 + b'"]}'
        registry.lies["/v2/x/tags"] = answer(
            200, page, [("Link", '</v2/x/tags/list?last=a>; rel="next"')]
        )
        with pytest.raises(FaultError, match=r"^list of tags is longer than 1048576 bytes$"):
            await _remote(client, registry.host).tags()


async def test_peers_that_give_a_byte_now_and_then_are_left(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, name in (
        (session, "_HEAD_S"),
        (session, "_SMALL_BODY_S"),
        (failures, "_ERROR_BODY_S"),
    ):
        monkeypatch.setattr(module, name, 0.2)
    head = b"HTTP/1.1 200 OK\r\n"
    async with LyingRegistry({"/v2/": answer(200)}) as registry:
        registry.lies["/v2/x"] = dripping(head + b"X: ", b"a", every_s=0.01)
        with pytest.raises(RegistryUnreachableError, match="timeout awaiting response headers"):
            await _remote(client, registry.host).manifest("1")
        whole = head + b"Content-Length: 99999\r\n\r\n"
        registry.lies["/v2/x"] = dripping(whole, b" ", every_s=0.01)
        with pytest.raises(RegistryUnreachableError, match="while reading body"):
            await _remote(client, registry.host).manifest("1")
        refusal = whole.replace(b"200 OK", b"404 Gone")
        registry.lies["/v2/x"] = dripping(refusal, b" ", every_s=0.01)
        with pytest.raises(NaruError, match=r"^manifest unknown"):
            await _remote(client, registry.host).manifest("1")


def _slowly(data: bytes, start: int, sip: int, *, every_s: float) -> Lie:
    """Return a part of a blob that comes in sips."""
    head = (
        f"HTTP/1.1 206 Part\r\nContent-Length: {len(data) - start}\r\n"
        f"Content-Range: bytes {start}-{len(data) - 1}/{len(data)}\r\n\r\n"
    )

    async def pieces() -> AsyncIterator[bytes]:
        yield head.encode()
        for position in range(start, len(data), sip):
            yield data[position : position + sip]
            await asyncio.sleep(every_s)

    return pieces


async def test_blobs_that_drip_are_asked_for_again_and_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pace, "_WINDOW_S", 0.2)
    monkeypatch.setattr(fetch, "pause_s", lambda _: 0)
    data = os.urandom(200_000)
    layer = Descriptor(digest=digest_bytes(data), size=len(data))
    client = HttpClient(HostsConfig(), attempts=3)
    sink = MemorySink()
    async with LyingRegistry({"/v2/": answer(200)}) as registry:
        path = f"/v2/x/blobs/{layer.digest}"
        registry.lies[path] = _slowly(data, 0, 10, every_s=0.01)
        words = (
            rf'^Get "http://{registry.host}{path}": {registry.host} sent no more than '
            r"[0-9]+ bytes in 0\.2 seconds$"
        )
        with pytest.raises(RegistryUnreachableError, match=words):
            await _remote(client, registry.host).blob(layer, sink, lambda _: None)
        ranges = [
            headers.get("range", "") for _, told, headers, _ in registry.requests if told == path
        ]
        assert len(ranges) == 3
        assert ranges[0] == ""
        assert all(wanted.startswith("bytes=") for wanted in ranges[1:])
        assert 0 < sink.offset < 1000, "what came is kept"
        # A line that is slow, and no worse, is waited for: here for five times the patience.
        registry.requests.clear()
        registry.lies[path] = _slowly(data, sink.offset, 20_000, every_s=0.1)
        await _remote(client, registry.host).blob(layer, sink, lambda _: None)
        assert sink.data == data
        assert len([told for _, told, _, _ in registry.requests if told == path]) == 1
    await client.close()


async def test_files_that_drip_are_left(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "_WINDOW_S", 0.2)
    start = b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"
    async with LyingRegistry({"/f": dripping(start, b"x", every_s=0.01)}) as server:
        with pytest.raises(RegistryUnreachableError, match=r" sent no more than [0-9]+ bytes in "):
            async for _ in download(client, f"http://{server.host}/f"):
                pass


async def test_refusals_that_come_in_pieces_are_read_whole(client: HttpClient) -> None:
    words = b'{"errors":[{"code":"DENIED","message":"' + b"no " * 9000 + b'"}]}'
    async with LyingRegistry({"/v2/": answer(200), "/v2/x": answer(403, words)}) as registry:
        with pytest.raises(NaruError, match=r"^denied: no no no "):
            await _remote(client, registry.host).manifest("1")


async def test_passwords_are_not_sent_in_the_clear_because_a_registry_says_so(
    client: HttpClient,
) -> None:
    https = Endpoint("https://registry.example", "registry.example")
    asked = EndpointSession(client, https, _AUTH, SystemClock())
    for method, headers in (("GET", {"Authorization": "Basic eDp5"}), ("POST", {})):
        with pytest.raises(FaultError, match=r"http://tokens\.example, which is not encrypted$"):
            await asked.request_token(method, "http://tokens.example/t?x", [], headers)


async def test_tokens_that_stand_for_a_login_stay_where_they_are_sent(client: HttpClient) -> None:
    async with LyingRegistry({"/": answer(200, b'{"token":"x"}')}) as other, LyingRegistry() as one:
        one.lies["/v2/"] = challenge(_bearer(f"http://{one.host}/token"))
        one.lies["/token"] = answer(307, headers=[("Location", f"http://{other.host}/")])
        auth = RegistryAuth(identity_token="refreshing", server_address=one.host)
        with pytest.raises(FaultError):
            await log_in(client, auth, SystemClock())
        assert any(b"refreshing" in body for _, _, _, body in one.requests)
        assert not other.requests


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://u:pw@h/x?y=a:b@c", "http://u:***@h/x?y=a:b@c"),
        ("https://u:p@w:x@h", "https://u:***@h"),
        ("http://u@h:80/", "http://u@h:80/"),
        ("http://h:80/a:b@c", "http://h:80/a:b@c"),
    ],
)
def test_passwords_in_addresses_are_not_told(url: str, told: str) -> None:
    assert shown(url) == told


async def test_failures_do_not_tell_passwords(client: HttpClient) -> None:
    for url in ("http://u:hidden@127.0.0.1:1/x", "http://u:hidden@h:99999/", "ftp://u:hidden@h/"):
        with pytest.raises(NaruError) as caught:
            async for _ in download(client, url):
                pass
        assert "hidden" not in caught.value.message
    with pytest.raises(InvalidInputError) as refused:
        await log_in(client, RegistryAuth("a", "b", "", "", "http://u:hidden@h"), SystemClock())
    assert "hidden" not in refused.value.message


async def test_a_layer_that_is_said_to_be_everywhere_is_looked_for_in_some_places(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_MAX_CONTEXTS", 3)
    urls = tuple(f"http://127.0.0.1:{port}/layer" for port in range(1, 100))
    layer = Descriptor(digest=Digest(f"sha256:{'0' * 64}"), size=2, urls=urls)
    async with LyingRegistry({"/v2/": answer(200)}) as registry:
        registry.lies["/v2/x"] = answer(404, b'{"errors":[{"code":"BLOB_UNKNOWN"}]}')
        with pytest.raises(RegistryUnreachableError, match=r"127\.0\.0\.1:8: connect"):
            await _remote(client, registry.host).blob(layer, _Sink(), lambda _: None)
    assert len(client._contexts) == 3


@pytest.mark.parametrize(
    "told", [f"bytes {'9' * 5000}-/*", "bytes ²-3/4", f"bytes 0-1/{'9' * 5000}"]
)
async def test_ranges_beyond_all_numbers_are_refused(client: HttpClient, told: str) -> None:
    lie = answer(206, b"abc", [("Content-Range", told)])
    descriptor = Descriptor(digest=Digest(f"sha256:{'0' * 64}"), size=2)
    async with LyingRegistry({"/": lie}) as registry:
        endpoint = Endpoint(f"http://{registry.host}", registry.host)
        async with client.send(endpoint, "GET", f"http://{registry.host}/") as response:
            with pytest.raises(NaruError):
                await receive(response, descriptor, _Sink(), lambda _: None)


@pytest.mark.parametrize("host", ["..", "a:b@c.d", "a b.c", "a.b:port"])
async def test_what_stands_for_a_registry_in_a_search_must_be_one(host: str) -> None:
    from naru.distribution.search import split_term

    with pytest.raises(InvalidInputError, match=r"^invalid index name "):
        split_term(f"{host}/x")
