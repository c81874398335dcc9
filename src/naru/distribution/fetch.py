"""One repository of one registry, read: tags, manifests and blobs.

Mirrors are tried before the registry itself. A blob is checked for its size here and for its
digest by whoever keeps it; manifests are checked for their digest here.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

import aiohttp
import msgspec

from naru.aio import in_thread, uncancelled
from naru.clock import Clock
from naru.distribution.auth import RegistryAuth, shared_out
from naru.distribution.paging import next_page
from naru.distribution.session import (
    EndpointSession,
    HttpClient,
    RegistryUnreachableError,
    pause_s,
    read_limited,
    worth_asking,
)
from naru.errors import CorruptDataError, FaultError, NaruError
from naru.oci import mediatype
from naru.oci.descriptor import Descriptor
from naru.oci.digest import Digest, algorithm_of, digest_bytes, is_digest
from naru.oci.manifest import MAX_MANIFEST_SIZE

_ACCEPT = ", ".join(mediatype.ACCEPTED_MANIFESTS)
# A hand-over to a thread costs as much as hashing 50 KiB; caches hold less than a MiB.
_BATCH = 512 << 10
_MAX_CHUNKS = 256
# Less than this is no progress worth another round of attempts.
_PROGRESS = 1 << 20
_TAGS_LIMIT = 4 << 20
_MAX_TAG_PAGES = 1000


class BlobSink(Protocol):
    """Where a blob goes. `store.Ingest` is one."""

    @property
    def offset(self) -> int:
        """Bytes that are there already."""

    def write_all(self, pieces: Sequence[bytes]) -> object:
        """Add bytes at the end. Runs in a thread."""


@dataclass(frozen=True, slots=True)
class FetchedManifest:
    """Bytes exactly as received, what the registry calls them, and their digest."""

    raw: bytes
    media_type: str
    digest: Digest


class _Tags(msgspec.Struct):
    tags: list[str] | None = None


class RemoteRepository:
    """Reads one repository on behalf of one user. Made per pull; holds no connection."""

    def __init__(
        self,
        client: HttpClient,
        registry: str,
        repository: str,
        auth: RegistryAuth | None,
        clock: Clock,
    ) -> None:
        self._repository = repository
        self._clock = clock
        self._attempts = client.attempts
        self._scope = f"repository:{repository}:pull"
        endpoints = client.hosts.endpoints(registry)
        self._sessions = [
            EndpointSession(client, endpoint, login, clock)
            for endpoint, login in zip(endpoints, shared_out(endpoints, auth), strict=True)
        ]

    async def head_manifest(self, tag_or_digest: str) -> Digest | None:
        """Ask only for a manifest's digest; None when the registry does not tell.

        Raises:
            NaruError: as `manifest`.
        """
        path = f"{self._repository}/manifests/{tag_or_digest}"
        async with self._exchange("HEAD", path, {"Accept": _ACCEPT}) as response:
            told = response.headers.get("Docker-Content-Digest", "")
        return Digest(told) if is_digest(told) else None

    async def manifest(self, tag_or_digest: str) -> FetchedManifest:
        """Return a manifest or an index by tag or digest.

        Raises:
            ManifestUnknownError, NameUnknownError, DeniedError, UnauthorizedError: the
                registry's answer, with the text that Docker prints.
            CorruptDataError: the bytes are not what the digest says.
            FaultError: no usable answer.

        Spec: distribution-spec v1.1, end-3.
        """
        path = f"{self._repository}/manifests/{tag_or_digest}"
        async with self._exchange("GET", path, {"Accept": _ACCEPT}) as response:
            raw = await read_limited(response, MAX_MANIFEST_SIZE)
            media_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
            told = response.headers.get("Docker-Content-Digest", "")
        expected = tag_or_digest if is_digest(tag_or_digest) else told
        algorithm = algorithm_of(Digest(expected)) if is_digest(expected) else "sha256"
        digest = digest_bytes(raw, algorithm)
        if is_digest(expected) and digest != expected:
            raise CorruptDataError(
                f"manifest verification failed for digest {expected}: got {digest}"
            )
        known = mediatype.INDEXES | mediatype.MANIFESTS | mediatype.SCHEMA1
        return FetchedManifest(raw, media_type if media_type in known else "", digest)

    async def tags(self) -> list[str]:
        """Return all tags, over as many pages as there are.

        Raises:
            NameUnknownError: there is no such repository.

        Spec: distribution-spec v1.1, end-8.
        """
        found: list[str] = []
        path = f"{self._repository}/tags/list"
        for _ in range(_MAX_TAG_PAGES):
            async with self._exchange("GET", path, {}) as response:
                body = await read_limited(response, _TAGS_LIMIT)
                following = next_page(response)
            try:
                found += msgspec.json.decode(body, type=_Tags).tags or []
            except msgspec.MsgspecError as error:
                raise FaultError(f"registry sent no list of tags: {error}") from error
            if following is None:
                return found
            path = following
        raise FaultError(f"list of tags has more than {_MAX_TAG_PAGES} pages")

    async def blob(
        self, descriptor: Descriptor, sink: BlobSink, progress: Callable[[int], None]
    ) -> None:
        """Append the rest of a blob to `sink`, from where it stands to its whole size.

        A lost connection is taken up where it broke off; `progress` hears of every piece, with
        the bytes that are there so far. The digest is not checked: that is for the sink's owner.

        Raises:
            BlobUnknownError: the registry does not have it.
            CorruptDataError: it is longer than the descriptor says.
            RegistryUnreachableError: no progress in as many attempts as the client makes.

        Spec: distribution-spec v1.1, end-2; RFC 9110, section 14.2.
        """
        attempt = 0
        while sink.offset < descriptor.size:
            before = sink.offset
            try:
                await self._blob_once(descriptor, sink, progress)
            except RegistryUnreachableError:
                # A server that gives a little each time would be asked for ever, if any
                # progress counted.
                attempt = 1 if sink.offset - before >= _PROGRESS else attempt + 1
                if attempt >= self._attempts:
                    raise
                await self._clock.sleep(pause_s(attempt))

    async def _blob_once(
        self, descriptor: Descriptor, sink: BlobSink, progress: Callable[[int], None]
    ) -> None:
        start = sink.offset
        headers = {"Range": f"bytes={start}-"} if start else {}
        path = f"{self._repository}/blobs/{descriptor.digest}"
        async with self._exchange("GET", path, headers) as response:
            # A server may ignore the range; then what we have is skipped.
            skip = start - _first_byte(response) if start else 0
            if skip < 0:
                raise FaultError(f"registry sent another range of {descriptor.digest}")
            pending: list[bytes] = []
            waiting = 0
            received = sink.offset
            try:
                async for chunk in response.content.iter_any():
                    if skip:
                        skip, chunk = max(0, skip - len(chunk)), chunk[skip:]
                    received += len(chunk)
                    if received > descriptor.size:
                        raise CorruptDataError(
                            f"blob {descriptor.digest} is longer than {descriptor.size} bytes"
                        )
                    pending.append(chunk)
                    waiting += len(chunk)
                    if waiting >= _BATCH or len(pending) >= _MAX_CHUNKS:
                        batch, pending, waiting = pending, [], 0
                        await uncancelled(in_thread(sink.write_all, batch))
                        progress(sink.offset)
            finally:
                # What came before a cut or a cancellation is kept for the next attempt.
                if pending and received <= descriptor.size:
                    await uncancelled(in_thread(sink.write_all, pending))
            progress(sink.offset)
        if sink.offset < descriptor.size:
            raise RegistryUnreachableError(f"blob {descriptor.digest}: unexpected EOF")

    @contextlib.asynccontextmanager
    async def _exchange(
        self, method: str, path: str, headers: dict[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask the endpoints in turn; the first good answer counts, else the last failure."""
        failure: NaruError = FaultError(f"no endpoint serves {self._repository}")
        sessions = self._sessions
        if "://" in path:
            sessions = [s for s in sessions if path.startswith(f"{s.endpoint.base_url}/")]
        for session in sessions:
            if not worth_asking(session.endpoint, failure):
                continue
            answered = False
            try:
                async with session.exchange(
                    method,
                    quote(path, safe="/:@?&=%+,~"),
                    scope=self._scope,
                    headers=headers,
                    # A mirror that is in trouble is passed over, not waited for.
                    attempts=1 if session.endpoint.is_mirror else None,
                ) as response:
                    answered = True
                    self._prefer(session)
                    yield response
                return
            except NaruError as error:
                if answered:
                    self._leave_broken_mirror(session, error)
                    raise
                failure = error
                # Only a host that cannot be reached at all makes the next scheme or, after a
                # mirror, the registry itself worth asking.
                if not session.endpoint.is_mirror and not isinstance(
                    error, RegistryUnreachableError
                ):
                    raise
        raise failure

    def _prefer(self, session: EndpointSession) -> None:
        self._sessions = [session, *(each for each in self._sessions if each is not session)]

    def _leave_broken_mirror(self, session: EndpointSession, error: NaruError) -> None:
        """Ask a mirror no more that began to answer well and did not end so."""
        is_broken = isinstance(error, RegistryUnreachableError | CorruptDataError)
        if session.endpoint.is_mirror and is_broken:
            self._sessions = [each for each in self._sessions if each is not session]


def _first_byte(response: aiohttp.ClientResponse) -> int:
    """Return where in the blob the body starts."""
    if response.status != 206:
        return 0
    unit, _, rest = response.headers.get("Content-Range", "").partition(" ")
    first = rest.partition("-")[0]
    if unit != "bytes" or not first.isdecimal():
        raise FaultError("registry answered a range without saying which")
    return int(first)
