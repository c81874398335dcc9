"""What goes wrong, in the words that Docker's clients know."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fakes.certificates import Authority
from naru.clock import SystemClock
from naru.distribution.failures import refused_login
from naru.distribution.hosts import Endpoint, HostsConfig
from naru.distribution.session import (
    EndpointSession,
    HttpClient,
    RegistryUnreachableError,
    worth_asking,
)
from naru.errors import FaultError


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"details": "incorrect name"}, "unauthorized: incorrect name"),
        ({"errors": [{"code": "DENIED", "message": "you are late"}]}, "denied: you are late"),
        ({"errors": [{"code": "UNAUTHORIZED"}]}, "unauthorized: incorrect username or password"),
        ({}, "unauthorized: incorrect username or password"),
        ([], "unauthorized: incorrect username or password"),
    ],
)
def test_a_refused_login_is_told_with_the_reason_that_was_given(body: object, words: str) -> None:
    assert refused_login(json.dumps(body).encode()).message == words


@contextlib.asynccontextmanager
async def _tls_server(folder: Path, *, wants_certificate: bool) -> AsyncIterator[str]:
    authority = Authority(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("server", usage="serverAuth"))
    if wants_certificate:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority.certificate)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def _failure(endpoint: Endpoint) -> RegistryUnreachableError:
    client = HttpClient(HostsConfig(), attempts=1)
    try:
        with pytest.raises(RegistryUnreachableError) as caught:
            await EndpointSession(client, endpoint, None, SystemClock()).ping()
    finally:
        await client.close()
    return caught.value


async def test_a_stranger_in_tls_is_not_asked_again_without_it(tmp_path: Path) -> None:
    async with _tls_server(tmp_path, wants_certificate=False) as host:
        failure = await _failure(Endpoint(f"https://{host}", host))
    assert failure.message == (
        f'Get "https://{host}/v2/": tls: failed to verify certificate: x509: certificate signed '
        "by unknown authority"
    )
    assert not worth_asking(Endpoint(f"http://{host}", host), failure)
    assert worth_asking(Endpoint("http://other.lan", "other.lan"), failure)
    assert worth_asking(Endpoint(f"https://{host}", host), failure)


async def test_a_server_that_ends_what_began_in_tls_is_not_asked_without_it(tmp_path: Path) -> None:
    async with _tls_server(tmp_path, wants_certificate=True) as host:
        failure = await _failure(Endpoint(f"https://{host}", host, is_insecure=True))
    assert failure.message.startswith(f'Get "https://{host}/v2/": ')
    assert not worth_asking(Endpoint(f"http://{host}", host, is_insecure=True), failure)


async def test_who_does_not_speak_tls_may_be_asked_without_it() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        failure = await _failure(Endpoint(f"https://{host}", host, is_insecure=True))
    assert failure.message.endswith("http: server gave HTTP response to HTTPS client")
    assert worth_asking(Endpoint(f"http://{host}", host, is_insecure=True), failure)
    assert worth_asking(Endpoint(f"http://{host}", host), FaultError("anything else"))
