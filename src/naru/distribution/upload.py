"""One repository of one registry, written: which blobs it has, where more can go, manifests.

The sibling of `naru.distribution.fetch`. Mirrors are never written to. How a blob gets across is
in `naru.distribution.upload_session`. Runs on the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from yarl import URL

from naru.clock import Clock
from naru.distribution.auth import RegistryAuth
from naru.distribution.hosts import Endpoint, is_web_address, shown
from naru.distribution.session import (
    Body,
    EndpointSession,
    HttpClient,
    RegistryUnreachableError,
    worth_asking,
)
from naru.errors import FaultError, NaruError, NotFoundError
from naru.oci.digest import Digest
from naru.oci.manifest import Index, Manifest

# A peer that takes no more than so many bytes for so long will not take more. A slow line that
# several layers share takes them.
_SIP = 64 << 10
_STALL_S = 60.0
# When all is there, a registry may have gigabytes to hash and to move.
_PATIENCE_S = 600.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a registry answered, without a body, and the URL that was asked."""

    status: int
    headers: Mapping[str, str]
    url: URL

    def location(self) -> URL:
        """Return where the upload goes on: relative to this URL, or anywhere else.

        Raises:
            FaultError: to no address of http or https.

        Spec: distribution-spec v1.1, §Pushing blobs: to be used as it is, query and all.
        """
        told = self.headers.get("Location", "")
        try:
            target = self.url.join(URL(told, encoded=True)) if told else self.url
            address = str(target)
        except ValueError:
            # Of a port that there is not, which only now is looked at.
            target, address = self.url, ""
        if not is_web_address(address):
            raise FaultError(f"{self.url.origin()} sends uploads to no address: {told[:200]!r}")
        return target


class RepositoryWriter:
    """Writes one repository on behalf of one user. Made per push; holds no connection."""

    def __init__(
        self,
        client: HttpClient,
        registry: str,
        repository: str,
        auth: RegistryAuth | None,
        clock: Clock,
    ) -> None:
        self.registry = registry
        self.repository = repository
        self.clock = clock
        self.attempts = client.attempts
        self.largest_body = 1 << 62
        """Bytes. What was found to be too much for one request lowers it, for all that follows."""
        self._client = client
        self._scope = f"repository:{repository}:pull,push"
        self._sessions = [
            EndpointSession(client, endpoint, auth, clock)
            for endpoint in client.hosts.endpoints(registry)
            if not endpoint.is_mirror
        ]

    async def connect(self) -> None:
        """Find the endpoint that answers, and stay with it.

        Raises:
            RegistryUnreachableError: none does.
            FaultError: what answers is no registry.
        """
        failure: NaruError = FaultError(f"no endpoint serves {self.registry}")
        for session in self._sessions:
            if not worth_asking(session.endpoint, failure):
                continue
            try:
                await session.ping()
            except RegistryUnreachableError as error:
                failure = error
                continue
            self._sessions = [session]
            return
        raise failure

    async def has_blob(self, digest: Digest) -> bool:
        """Say whether the repository has a blob.

        Raises:
            NaruError: as `ask`.

        Spec: distribution-spec v1.1, end-2.
        """
        try:
            await self.ask("HEAD", f"{self.repository}/blobs/{digest}")
        except NotFoundError:
            return False
        return True

    async def begin_upload(self) -> Answer:
        """Begin to send a blob; the answer says where.

        Raises:
            FaultError: it does not say where.
            NaruError: as `ask`.

        Spec: distribution-spec v1.1, end-4a.
        """
        return _begun(await self.ask("POST", f"{self.repository}/blobs/uploads/"))

    async def mount(self, digest: Digest, source: str) -> Answer | None:
        """Let the repository have a blob that the repository `source` of its registry has.

        None when that worked, else the beginning of an upload, as `begin_upload`, which raises
        the same.

        Spec: distribution-spec v1.1, end-11.
        """
        query = urlencode({"mount": digest, "from": source}, quote_via=quote, safe=":/")
        answer = await self.ask(
            "POST",
            f"{self.repository}/blobs/uploads/?{query}",
            scope=f"{self._scope} repository:{source}:pull",
        )
        return None if answer.status == 201 else _begun(answer)

    async def cancel_upload(self, begun: Answer) -> None:
        """Give up an upload, so that the registry need not keep it. A failure is of no account.

        Spec: distribution, API: "Canceling an upload".
        """
        with contextlib.suppress(NaruError):
            await self.ask("DELETE", begun.location(), attempts=1)

    async def put_manifest(self, name: str, manifest: Manifest | Index) -> None:
        """Store a manifest under a tag or a digest; what it names must be there.

        Raises:
            ManifestInvalidError, ManifestBlobUnknownError: the registry's answer.
            NaruError: as `ask`.

        Spec: distribution-spec v1.1, end-7.
        """

        async def body() -> AsyncIterator[bytes]:
            yield manifest.raw

        headers = {"Content-Type": manifest.media_type, "Content-Length": str(len(manifest.raw))}
        await self.ask("PUT", f"{self.repository}/manifests/{name}", headers=headers, body=body)

    async def ask(
        self,
        method: str,
        target: str | URL,
        *,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        attempts: int | None = None,
        scope: str = "",
    ) -> Answer:
        """Make a request, as often as `EndpointSession.exchange` does; the answer is 2xx.

        Where a registry leads to another host, our credentials do not follow.

        Raises:
            RegistryUnreachableError, RegistryBusyError, TooManyRequestsError: try again later.
            NaruError: what the registry says, as a kind of `oci.distribution_errors`.
        """
        session = self._sessions[0]
        if isinstance(target, URL) and not _is_within(target, session.endpoint):
            session = self._elsewhere(target)
        try:
            async with asyncio.timeout(None) as guard:
                watched = None if body is None else _watched(body, guard)
                async with session.exchange(
                    method,
                    target,
                    scope=scope or self._scope,
                    headers=headers,
                    attempts=attempts,
                    body=watched,
                ) as response:
                    return Answer(response.status, response.headers, response.url)
        except TimeoutError as error:
            raise RegistryUnreachableError(
                f'{method.capitalize()} "{shown(target)}": write: connection timed out'
            ) from error

    def _elsewhere(self, target: URL) -> EndpointSession:
        """Return a session with the host of `target`, as nobody in particular.

        Raises:
            FaultError: it could be read on the way there.
        """
        hosts = self._client.hosts
        is_insecure = hosts.is_insecure(target.authority)
        if target.scheme != "https" and not (target.scheme == "http" and is_insecure):
            raise FaultError(f"registry {self.registry} sends uploads to {target.origin()}")
        endpoint = Endpoint(str(target.origin()), target.authority, is_insecure=is_insecure)
        return EndpointSession(self._client, endpoint, None, self.clock, pings=False)


def _begun(answer: Answer) -> Answer:
    if "Location" not in answer.headers:
        raise FaultError(f"registry does not say where uploads go: no Location from {answer.url}")
    return answer


def _is_within(target: URL, endpoint: Endpoint) -> bool:
    return target.is_absolute() and target.origin() == URL(endpoint.base_url).origin()


def _watched(body: Body, guard: asyncio.Timeout) -> Body:
    """Return a body that gives up when nobody takes it."""
    loop = asyncio.get_running_loop()

    async def pieces() -> AsyncIterator[bytes]:
        guard.reschedule(loop.time() + _STALL_S)
        async for piece in body():
            for start in range(0, len(piece), _SIP):
                yield piece[start : start + _SIP]
                guard.reschedule(loop.time() + _STALL_S)
        guard.reschedule(loop.time() + _PATIENCE_S)

    return pieces
