"""TLS: mutual trust, and directions that end one by one."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path

import pytest

from fakes.certificates import Authority

from .conftest import Served, reading_end, until_held_back

ATTACH = b"POST /containers/c/attach HTTP/1.1\r\nHost: d\r\nUpgrade: tcp\r\n\r\n"
PING = b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n"


class Trust:
    """Both sides' contexts."""

    def __init__(self, folder: Path) -> None:
        authority = Authority(folder)
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(*authority.issue("server", usage="serverAuth"))
        self.server.load_verify_locations(authority.certificate)
        self.server.verify_mode = ssl.CERT_REQUIRED
        self.anonymous = ssl.create_default_context(cafile=str(authority.certificate))
        self.client = ssl.create_default_context(cafile=str(authority.certificate))
        self.client.load_cert_chain(*authority.issue("client", usage="clientAuth"))


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    return Trust(tmp_path_factory.mktemp("trust"))


class BareClient:
    """TLS by hand: one that can end its direction and go on reading."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext
    ) -> None:
        self.reader, self.writer = reader, writer
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")

    async def _exchange(self, *, must_read: bool = True) -> None:
        if self.outgoing.pending:
            self.writer.write(self.outgoing.read())
        if must_read:
            data = await asyncio.wait_for(self.reader.read(65536), 5)
            if data:
                self.incoming.write(data)
            else:
                self.incoming.write_eof()

    async def shake_hands(self) -> None:
        while True:
            with contextlib.suppress(ssl.SSLWantReadError):
                self.tls.do_handshake()
                return await self._exchange(must_read=False)
            await self._exchange()

    async def write(self, data: bytes) -> None:
        self.tls.write(data)
        await self._exchange(must_read=False)

    async def end(self) -> None:
        """Send close_notify, as Go's CloseWrite does."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        await self._exchange(must_read=False)

    async def raw(self) -> bytes:
        """Return what comes before the plain stream ends."""
        return await asyncio.wait_for(self.reader.read(), 5)

    async def read_until(self, word: bytes) -> bytes:
        found = b""
        while word not in found:
            with contextlib.suppress(ssl.SSLWantReadError):
                found += self.tls.read(65536)
                continue
            await self._exchange()
        return found


async def bare(served: Served, context: ssl.SSLContext) -> BareClient:
    client = BareClient(*await served.connect(), context)
    await client.shake_hands()
    return client


async def test_a_known_client_is_served(served: Served, trust: Trust) -> None:
    await served.start(trust.server)
    reader, writer = await served.connect(tls=trust.client)
    writer.write(PING * 3)
    for _ in range(3):
        await asyncio.wait_for(reader.readuntil(b"OK"), 5)
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\nOK"), 5)
    writer.close()


async def test_an_unknown_client_is_not(served: Served, trust: Trust) -> None:
    await served.start(trust.server)

    async def ask() -> None:
        # TLS 1.3 tells the client with its first read only.
        reader, writer = await served.connect(tls=trust.anonymous)
        writer.write(PING)
        if not await asyncio.wait_for(reader.read(), 5):
            raise ConnectionResetError

    with pytest.raises((ssl.SSLError, ConnectionError)):
        await ask()


async def test_plain_http_is_not_answered(served: Served, trust: Trust) -> None:
    await served.start(trust.server)
    reader, writer = await served.connect()
    writer.write(PING)
    assert b"OK" not in await asyncio.wait_for(reader.read(), 5)


async def test_output_goes_on_when_the_client_ends_its_input(served: Served, trust: Trust) -> None:
    served.streams.ends_with_stdin = False
    await served.start(trust.server)
    client = await bare(served, trust.client)
    await client.write(ATTACH + b"in")
    await client.read_until(b"in")
    await client.end()
    await asyncio.wait_for(served.streams.stdin_ended.wait(), 5)
    assert not served.streams.closed.is_set()
    await served.streams.say(1, b"still there")
    await served.streams.end()
    # OpenSSL's client does not decrypt after its own goodbye, as Go's does: that the record
    # comes at all is the promise.
    assert len(await client.raw()) > len(b"still there")


async def test_a_client_that_vanishes_is_noticed(served: Served, trust: Trust) -> None:
    served.streams.ends_with_stdin = False
    await served.start(trust.server)
    client = await bare(served, trust.client)
    await client.write(ATTACH)
    await client.read_until(b"\r\n\r\n")
    client.writer.transport.abort()
    await asyncio.wait_for(served.streams.closed.wait(), 5)


async def test_much_goes_both_ways(served: Served, trust: Trust) -> None:
    await served.start(trust.server)
    reader, writer = await served.connect(tls=trust.client)
    writer.write(ATTACH)
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    block = bytes(range(256)) * 4096
    for _ in range(20):
        writer.write(block)
        assert await asyncio.wait_for(reader.readexactly(len(block)), 10) == block
    writer.close()


async def test_a_slow_reader_holds_the_output_back(served: Served, trust: Trust) -> None:
    await served.start(trust.server)
    client = await bare(served, trust.client)
    await client.write(ATTACH)
    await client.read_until(b"\r\n\r\n")
    reading_end(client.writer).pause_reading()
    block = b"x" * (64 << 10)
    sent = await until_held_back(lambda: served.streams.say(1, block), limit=2000)
    assert sent < 200


async def test_who_never_speaks_is_hung_up_on(
    served: Served, trust: Trust, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("naru.server.tls._HANDSHAKE_S", 0.1)
    await served.start(trust.server)
    reader, _ = await served.connect()
    assert await asyncio.wait_for(reader.read(), 5) == b""
