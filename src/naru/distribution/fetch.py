"""One repository of one registry, read: tags, manifests and blobs.

Mirrors are tried before the registry itself. A blob is checked for its size here and for its
digest by whoever keeps it; manifests are checked for their digest here.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from urllib.parse import quote

import aiohttp
import msgspec

from naru import untrusted_json
from naru.clock import Clock
from naru.distribution.auth import RegistryAuth, shared_out
from naru.distribution.failures import RangeRefusedError, raise_for
from naru.distribution.hosts import stranger_at
from naru.distribution.paging import pages
from naru.distribution.pausing import pause_s
from naru.distribution.receiving import BlobSink, receive
from naru.distribution.session import (
    EndpointSession,
    HttpClient,
    RegistryUnreachableError,
    read_limited,
    worth_asking,
)
from naru.errors import (
    CorruptDataError,
    FaultError,
    InvalidInputError,
    NaruError,
    NotSupportedError,
)
from naru.oci import mediatype
from naru.oci.descriptor import Descriptor
from naru.oci.digest import Digest, algorithm_of, digest_bytes, is_digest
from naru.oci.distribution_errors import BlobUnknownError
from naru.oci.manifest import MAX_MANIFEST_SIZE

_ACCEPT = ", ".join(mediatype.ACCEPTED_MANIFESTS)
# Less than this is no progress worth another round of attempts.
_PROGRESS = 1 << 20
_TAGS_LIMIT = 16 << 20
# Of a layer, besides the registry: each may take minutes to say no.
_MAX_PLACES = 8
_Answering = contextlib.AbstractAsyncContextManager[aiohttp.ClientResponse]


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
        self._client = client
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

        def page(path: str) -> _Answering:
            return self._exchange("GET", path, {})

        path = f"{self._repository}/tags/list"
        async for body in pages(page, path, what="tags", limit=_TAGS_LIMIT):
            try:
                found += untrusted_json.decode(body, type=_Tags).tags or []
            except msgspec.MsgspecError as error:
                raise FaultError(f"registry sent no list of tags: {error}") from error
        return found

    async def blob(
        self, descriptor: Descriptor, sink: BlobSink, progress: Callable[[int], None]
    ) -> None:
        """Append the rest of a blob to `sink`, from where it stands to its whole size.

        A lost connection is taken up where it broke off; `progress` hears of every piece, with
        the bytes that are there so far. The digest is not checked: that is for the sink's owner.
        What the registry does not have, such as layers that may not be distributed, is fetched
        from where the descriptor says.

        Raises:
            BlobUnknownError: the registry does not have it.
            CorruptDataError: it is of another size than the descriptor says.
            RegistryUnreachableError: no progress in as many attempts as the client makes.

        Spec: distribution-spec v1.1, end-2; RFC 9110, section 14.2.
        """
        path = f"{self._repository}/blobs/{descriptor.digest}"

        def from_registry(headers: dict[str, str]) -> _Answering:
            return self._exchange("GET", path, headers)

        try:
            await self._until_whole(from_registry, descriptor, sink, progress)
        except BlobUnknownError as unknown:
            if not descriptor.urls:
                raise
            failure: NaruError = unknown
            for url in descriptor.urls[:_MAX_PLACES]:
                try:
                    opening = functools.partial(self._elsewhere, url)
                    await self._until_whole(opening, descriptor, sink, progress)
                except NaruError as error:
                    failure = error
                else:
                    return
            raise failure from None

    async def _until_whole(
        self,
        ask: Callable[[dict[str, str]], _Answering],
        descriptor: Descriptor,
        sink: BlobSink,
        progress: Callable[[int], None],
    ) -> None:
        attempt = 0
        takes_ranges = True
        while sink.offset < descriptor.size:
            before = sink.offset
            has_part = before > 0 and takes_ranges
            try:
                async with ask({"Range": f"bytes={before}-"} if has_part else {}) as response:
                    await receive(response, descriptor, sink, progress)
                if sink.offset < descriptor.size:
                    raise RegistryUnreachableError(f"blob {descriptor.digest}: unexpected EOF")
            except RangeRefusedError:
                if not has_part:
                    raise
                takes_ranges = False
            except RegistryUnreachableError:
                # A server that gives a little each time would be asked for ever, if any
                # progress counted.
                attempt = 1 if sink.offset - before >= _PROGRESS else attempt + 1
                if attempt >= self._attempts:
                    raise
                await self._clock.sleep(pause_s(attempt))

    @contextlib.asynccontextmanager
    async def _elsewhere(
        self, url: str, headers: dict[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask another server for a layer that the registry may not distribute.

        It is somebody else's: it gets no credentials, and its certificate must be good.
        """
        try:
            endpoint = stranger_at(url)
        except InvalidInputError as error:
            raise NotSupportedError(f"layers cannot be fetched from {url!r}") from error
        async with self._client.send(endpoint, "GET", url, headers=headers) as response:
            if response.status >= 300:
                await raise_for(response, self._clock.now_ns())
            yield response

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
