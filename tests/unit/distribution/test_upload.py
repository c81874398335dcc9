"""Writing repositories of a registry that has its own ideas, over real HTTP on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator

import pytest
from yarl import URL

from fakes.fake_clock import FakeClock
from fakes.fake_registry import digest_of
from fakes.writable_registry import WritableRegistry
from naru.distribution import upload_session
from naru.distribution.auth import RegistryAuth
from naru.distribution.session import HttpClient, RegistryUnreachableError
from naru.distribution.upload import RepositoryWriter
from naru.distribution.upload_session import BlobUpload
from naru.errors import FaultError, NaruError
from naru.oci.digest import Digest
from naru.oci.distribution_errors import DigestInvalidError, UnauthorizedError
from naru.oci.manifest import parse_manifest

# What TLS begins with.
_HANDSHAKE = b"\x16"
_PIECE = 100_000
_DATA = os.urandom(3 * _PIECE + 17)


class Growing:
    """A blob of which a piece more is there whenever somebody waits for it."""

    def __init__(self, data: bytes, *, is_done: bool = True) -> None:
        self.data = data
        self.size: int | None = len(data) if is_done else None
        self.there = len(data) if is_done else 0
        self.digest = Digest(digest_of(data))

    async def ready(self, count: int) -> int:
        while self.there < min(count, len(self.data)):
            await asyncio.sleep(0)
            self.there = min(self.there + 30_000, len(self.data))
        if self.there < count:
            self.size = len(self.data)
        return self.there

    def read(self, offset: int, count: int) -> bytes:
        return self.data[offset : min(offset + count, self.there)]


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_session, "PIECE_SIZE", _PIECE)
    monkeypatch.setattr(upload_session, "_READ_SIZE", 7_000)


async def writer_of(
    client: HttpClient, registry: WritableRegistry, auth: RegistryAuth | None = None
) -> RepositoryWriter:
    writer = RepositoryWriter(client, registry.host, "a/x", auth, FakeClock())
    await writer.connect()
    registry.requests.clear()
    return writer


async def send(writer: RepositoryWriter, source: Growing) -> tuple[list[int], list[float]]:
    """Send a blob; return the progress that was told, and the pauses."""
    sent: list[int] = []
    pauses: list[float] = []
    await BlobUpload(writer, source, sent=sent.append, pausing=pauses.append).run()
    return sent, pauses


async def test_small_blob_goes_in_one_request(client: HttpClient) -> None:
    async with WritableRegistry() as registry:
        writer = await writer_of(client, registry)
        for data in (b"", b"x", _DATA[:_PIECE]):
            registry.requests.clear()
            sent, _ = await send(writer, Growing(data))
            assert registry.verbs() == ["POST upload", "PUT upload"]
            assert registry.blobs[digest_of(data)] == data
            assert sent == sorted(sent)
            assert sent[-1:] == ([len(data)] if data else [])


@pytest.mark.parametrize("is_done", [True, False])
async def test_large_blob_goes_in_pieces_even_while_it_grows(
    client: HttpClient, *, is_done: bool
) -> None:
    async with WritableRegistry() as registry:
        sent, pauses = await send(
            await writer_of(client, registry), Growing(_DATA, is_done=is_done)
        )
        assert registry.verbs() == ["POST upload", *["PATCH upload"] * 4, "PUT upload"]
        assert registry.sent == [_PIECE, _PIECE, _PIECE, 17, 0]
        ranges = [h["Content-Range"] for m, _, h in registry.requests if m == "PATCH"]
        assert ranges[1] == f"{_PIECE}-{2 * _PIECE - 1}"
        assert registry.blobs[digest_of(_DATA)] == _DATA
        assert (sent[-1], pauses) == (len(_DATA), [])


async def test_registry_that_wants_larger_pieces_gets_them(client: HttpClient) -> None:
    async with WritableRegistry() as registry:
        registry.smallest_piece = 2 * _PIECE
        await send(await writer_of(client, registry), Growing(_DATA))
        assert registry.sent == [2 * _PIECE, _PIECE + 17, 0]


@pytest.mark.parametrize("data", [_DATA, _DATA[: _PIECE - 1]])
@pytest.mark.parametrize("is_done", [True, False])
async def test_pieces_that_a_proxy_refuses_are_made_smaller_for_all_blobs(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch, data: bytes, *, is_done: bool
) -> None:
    monkeypatch.setattr(upload_session, "_SMALLEST_PIECE", 1_000)
    async with WritableRegistry() as registry:
        registry.largest_body = 30_000
        writer = await writer_of(client, registry)
        sent, pauses = await send(writer, Growing(data, is_done=is_done))
        assert registry.blobs[digest_of(data)] == data
        assert (max(registry.sent) <= 30_000, sent[-1], pauses) == (True, len(data), [])
        assert registry.verbs().count("POST upload") == 1
        registry.sent.clear()
        registry.requests.clear()
        other = data[::-1]
        await send(writer, Growing(other))
        assert registry.blobs[digest_of(other)] == other
        assert len(registry.sent) == len(registry.requests) - 1, "nothing is tried in vain again"


async def test_what_no_proxy_takes_is_given_up(client: HttpClient) -> None:
    async with WritableRegistry() as registry:
        registry.largest_body = 10
        with pytest.raises(FaultError, match="error parsing HTTP 413") as caught:
            await send(await writer_of(client, registry), Growing(_DATA))
        assert caught.value.hint == "127.0.0.1, or a proxy before it, takes no request of this size"
        registry.smallest_piece, registry.largest_body = _PIECE, _PIECE - 1
        with pytest.raises(FaultError, match="error parsing HTTP 413"):
            await send(await writer_of(client, registry), Growing(_DATA))


@pytest.mark.parametrize(
    ("mishaps", "bytes_again"),
    [
        (["", "cut:60000"], 0),
        (["", "short:60000"], 0),
        (["", "503"], 0),
        (["429"], 0),
        (["", "done, cut"], 0),
        (["cut:2", "cut:2", "503"], 0),
        (["", "lost"], _PIECE),
    ],
)
async def test_upload_goes_on_where_the_registry_stands(
    client: HttpClient, mishaps: list[str], bytes_again: int
) -> None:
    async with WritableRegistry() as registry:
        registry.mishaps["PATCH"] = mishaps
        await send(await writer_of(client, registry), Growing(_DATA, is_done=False))
        assert registry.blobs[digest_of(_DATA)] == _DATA
        assert sum(registry.sent) == len(_DATA) + bytes_again


async def test_registry_that_is_busy_gets_the_time_it_asks_for(client: HttpClient) -> None:
    async with WritableRegistry() as registry:
        for busy in ("503", "429"):
            registry.mishaps["PATCH"] = [busy, "cut:0"]
            _, pauses = await send(await writer_of(client, registry), Growing(_DATA))
            assert pauses == [7.0, 2.0]


async def test_upload_that_a_cut_ends_is_made_again(client: HttpClient) -> None:
    async with WritableRegistry() as registry:
        registry.forgets_cuts = True
        registry.mishaps["PATCH"] = ["", "cut:60000"]
        sent, _ = await send(await writer_of(client, registry), Growing(_DATA))
        assert registry.verbs().count("POST upload") == 2
        assert registry.blobs[digest_of(_DATA)] == _DATA
        assert 0 in sent, "progress begins anew"


@pytest.mark.parametrize("taken", [0, 1])
async def test_registry_that_takes_no_further_pieces_gets_the_blob_whole(
    client: HttpClient, taken: int
) -> None:
    async with WritableRegistry() as registry:
        registry.pieces_taken = taken
        upload = send(await writer_of(client, registry), Growing(_DATA, is_done=False))
        if not taken:
            with pytest.raises(FaultError, match="error parsing HTTP 416"):
                await upload
            return
        await upload
        assert registry.sent == [_PIECE, len(_DATA)]
        assert registry.verbs()[-2:] == ["POST upload", "PUT upload"]


@pytest.mark.parametrize("data", [_DATA, b"small"])
@pytest.mark.parametrize("mishap", ["503", "done, cut", "lost"])
async def test_end_of_an_upload_may_be_lost(client: HttpClient, data: bytes, mishap: str) -> None:
    async with WritableRegistry() as registry:
        registry.mishaps["PUT"] = [mishap]
        await send(await writer_of(client, registry), Growing(data))
        assert registry.held == {("a/x", digest_of(data))}
        assert registry.verbs().count("POST upload") == (1 if mishap == "done, cut" else 2)


async def test_registry_that_fails_for_good_is_given_up(client: HttpClient) -> None:
    async with WritableRegistry() as registry:
        writer = await writer_of(client, registry)
        registry.mishaps["PATCH"] = ["cut:0"] * 100
        with pytest.raises(RegistryUnreachableError, match=r'^Patch "http://127'):
            await send(writer, Growing(_DATA))
        registry.mishaps["POST"] = ["503"] * 100
        with pytest.raises(FaultError, match=r"^received unexpected HTTP status: 503 Service"):
            await send(writer, Growing(b"x"))
        assert registry.verbs().count("PATCH upload") == 25


async def test_other_bytes_than_promised_are_not_sent_twice(client: HttpClient) -> None:
    async with WritableRegistry() as registry:
        source = Growing(b"these")
        source.data = b"those"
        with pytest.raises(DigestInvalidError, match=r"^digest invalid: provided digest differs$"):
            await send(await writer_of(client, registry), source)
        assert registry.verbs() == ["POST upload", "PUT upload"]


async def test_upload_without_a_place_is_an_error(client: HttpClient) -> None:
    async with WritableRegistry() as registry:
        registry.mishaps["POST"] = ["nowhere"]
        with pytest.raises(FaultError, match=r"^registry does not say where uploads go"):
            await send(await writer_of(client, registry), Growing(b"x"))


async def test_locations_are_used_as_they_are(client: HttpClient) -> None:
    async with WritableRegistry() as registry:
        registry.absolute_locations = True
        await send(await writer_of(client, registry), Growing(_DATA))
        assert registry.blobs[digest_of(_DATA)] == _DATA


async def test_credentials_do_not_follow_to_another_host(client: HttpClient) -> None:
    async with (
        WritableRegistry() as other,
        WritableRegistry(auth="basic", users={"me": "secret"}) as registry,
    ):
        writer = await writer_of(client, registry, RegistryAuth("me", "secret"))
        registry.uploads_at = other.host
        other.uploads = registry.uploads
        other.uploads_at = other.host
        await send(writer, Growing(_DATA))
        assert other.blobs[digest_of(_DATA)] == _DATA
        assert len(other.requests) == 5
        assert not [h for _, _, h in other.requests if "Authorization" in h]
        assert registry.requests
        assert all("Authorization" in h for _, _, h in registry.requests)


async def test_blobs_are_not_sent_in_the_clear_to_another_host(client: HttpClient) -> None:
    async with WritableRegistry() as registry:
        writer = await writer_of(client, registry)
        registry.uploads_at = "registry.invalid"
        with pytest.raises(FaultError, match=r"sends uploads to http://registry.invalid$"):
            await send(writer, Growing(b"x"))


async def test_mount_asks_for_both_repositories_and_may_not_work(client: HttpClient) -> None:
    async with WritableRegistry(auth="bearer", users={"me": "secret"}) as registry:
        writer = await writer_of(client, registry, RegistryAuth("me", "secret"))
        digest = Digest(registry.hold("b/y", b"there"))
        assert not await writer.has_blob(digest)
        assert await writer.mount(digest, "b/y") is None
        assert await writer.has_blob(digest)
        assert registry.token_requests[-1]["scope"] == "repository:a/x:pull,push"
        begun = await writer.mount(Digest(digest_of(b"not there")), "b/y")
        assert begun is not None
        assert len(registry.uploads) == 1
        await writer.cancel_upload(begun)
        await writer.cancel_upload(begun)
        assert registry.uploads == {}
        assert len(registry.token_requests) == 2, "one for each set of repositories"


async def test_manifest_is_put_as_it_is(client: HttpClient) -> None:
    raw = (
        b'{ "schemaVersion": 2, "config": {"mediaType": "application/vnd.oci.empty.v1+json",'
        b' "digest": "sha256:' + b"a" * 64 + b'", "size": 2}, "layers": [] }'
    )
    async with WritableRegistry() as registry:
        writer = await writer_of(client, registry)
        registry.mishaps["MANIFEST"] = ["503"]
        await writer.put_manifest("1", parse_manifest(raw))
        assert registry.manifests["a/x", "1"] == (
            raw,
            "application/vnd.oci.image.manifest.v1+json",
        )


async def test_login_is_asked_for_in_the_registrys_words(client: HttpClient) -> None:
    async with WritableRegistry(auth="basic", users={"me": "secret"}) as registry:
        writer = await writer_of(client, registry, RegistryAuth("me", "wrong"))
        with pytest.raises(UnauthorizedError, match=r"^unauthorized: authentication required$"):
            await writer.begin_upload()
        nobody = await writer_of(client, registry)
        with pytest.raises(NaruError, match=r'": no basic auth credentials$'):
            await nobody.begin_upload()


async def test_peer_that_takes_nothing_is_left(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("naru.distribution.upload._STALL_S", 0.05)
    never = asyncio.Event()

    async def stuck() -> AsyncIterator[bytes]:
        yield b"x"
        await never.wait()

    async with WritableRegistry() as registry:
        writer = await writer_of(client, registry)
        begun = await writer.begin_upload()
        with pytest.raises(RegistryUnreachableError, match=r"write: connection timed out$"):
            await writer.ask(
                "PATCH", begun.location(), headers={"Content-Length": "2"}, body=stuck, attempts=1
            )


async def test_peer_that_takes_little_at_a_time_is_waited_for(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("naru.distribution.upload._STALL_S", 0.3)
    size = 10 << 20

    async def whole() -> AsyncIterator[bytes]:
        yield bytes(size)

    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            if await reader.readexactly(1) == _HANDSHAKE:
                raise asyncio.IncompleteReadError(b"", None)
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"UT"):
                for _ in range(10):
                    await asyncio.sleep(0.1)
                    await reader.readexactly(size // 10)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
    server = await asyncio.start_server(slowly, sock=listening)
    async with server:
        host = f"127.0.0.1:{listening.getsockname()[1]}"
        writer = RepositoryWriter(client, host, "x", None, FakeClock())
        await writer.connect()
        answer = await writer.ask(
            "PUT", "x", headers={"Content-Length": str(size)}, body=whole, attempts=1
        )
    assert answer.status == 200


def test_relative_and_absolute_locations_keep_their_escapes() -> None:
    from naru.distribution.upload import Answer

    here = URL("https://r.example/v2/a/blobs/uploads/")
    for told, meant in (
        ("/v2/a/blobs/uploads/1?s=a%2Fb%3D", "https://r.example/v2/a/blobs/uploads/1?s=a%2Fb%3D"),
        ("1?s=%7E", "https://r.example/v2/a/blobs/uploads/1?s=%7E"),
        ("http://other/x?y", "http://other/x?y"),
    ):
        assert str(Answer(202, {"Location": told}, here).location()) == meant
