"""A v2 registry in memory, over real HTTP on loopback, that can be told to misbehave.

    async with FakeRegistry(auth="bearer", users={"me": "secret"}) as registry:
        registry.add_blob(b"…"); registry.put_manifest("library/x", "latest", raw, media_type)
        ... registry.host ...                    # "127.0.0.1:PORT"

`registry.requests` records (method, path, headers). Faults are armed per blob or per path.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Self

from aiohttp import web

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass
class Faults:
    """What goes wrong. Lists are used up from the front, one item per matching request."""

    statuses: dict[str, list[int]] = field(default_factory=dict)
    """path suffix → statuses to answer before the truth"""
    cut_after: dict[str, list[int]] = field(default_factory=dict)
    """digest → number of body bytes after which the connection is cut"""
    hang_after: dict[str, list[int]] = field(default_factory=dict)
    """digest → number of body bytes after which nothing more comes before `flows` is set"""
    wrong_bytes: dict[str, bytes] = field(default_factory=dict)
    """digest → what to send instead"""
    ignore_range: bool = False
    refuse_range: bool = False
    """answer 416 to whoever wants a part"""
    shift_range: int = 0
    """begin so many bytes behind the one that was asked for"""
    retry_after: str = ""
    wrong_manifest_digest: bool = False
    hide_digest: bool = False
    no_head: bool = False


class FakeRegistry:
    """Repositories, manifests and blobs of one registry."""

    def __init__(
        self,
        *,
        auth: str = "",
        users: dict[str, str] | None = None,
        public: bool = False,
        identity_token: str = "",
    ) -> None:
        self.auth = auth
        self.users = users or {}
        self.public = public
        self.identity_token = identity_token
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[bytes, str]] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.queries: list[tuple[str, str]] = []
        self.token_requests: list[dict[str, str]] = []
        self.tokens: dict[str, str] = {}
        self.faults = Faults()
        self.flows = asyncio.Event()
        self.page_size = 100
        self.index: list[dict[str, object]] | None = None
        self.index_page = ""
        self.host = ""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/token", self._token)
        app.router.add_route("*", "/v1/search", self._search)
        app.router.add_route("*", "/v2/{tail:.*}", self._v2)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.host = f"127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    # -- content --------------------------------------------------------------------------------

    def add_blob(self, data: bytes) -> str:
        digest = digest_of(data)
        self.blobs[digest] = data
        return digest

    def put_manifest(
        self, repository: str, tag: str, raw: bytes, media_type: str = OCI_MANIFEST
    ) -> str:
        digest = digest_of(raw)
        self.manifests[repository, tag] = (raw, media_type)
        self.manifests[repository, digest] = (raw, media_type)
        return digest

    def add_image(
        self, repository: str, tag: str, config: bytes, layers: list[bytes], media_type: str = ""
    ) -> str:
        """Store an image of gzip layers and return its manifest's digest."""
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {
                "mediaType": OCI_CONFIG,
                "digest": self.add_blob(config),
                "size": len(config),
            },
            "layers": [
                {
                    "mediaType": media_type or OCI_LAYER_GZIP,
                    "digest": self.add_blob(layer),
                    "size": len(layer),
                }
                for layer in layers
            ],
        }
        return self.put_manifest(repository, tag, json.dumps(manifest).encode())

    def add_index(
        self, repository: str, tag: str, entries: list[tuple[str, dict[str, str]]]
    ) -> str:
        """Store an index over manifests that are there already: (digest, platform) pairs."""
        manifests = []
        for digest, platform in entries:
            raw, media_type = self.manifests[repository, digest]
            manifests.append(
                {
                    "mediaType": media_type,
                    "digest": digest,
                    "size": len(raw),
                    "platform": platform,
                }
            )
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}
        return self.put_manifest(repository, tag, json.dumps(index).encode(), OCI_INDEX)

    def paths(self, method: str = "GET") -> list[str]:
        """Return the paths of the requests so far."""
        return [path for verb, path, _ in self.requests if verb == method]

    # -- the protocol ---------------------------------------------------------------------------

    async def _v2(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        self.requests.append((request.method, path, dict(request.headers)))
        self.queries.append((path, request.query_string))
        for suffix, statuses in self.faults.statuses.items():
            if path.endswith(suffix) and statuses:
                headers = {"Retry-After": self.faults.retry_after}
                return web.Response(
                    status=statuses.pop(0), headers=headers if self.faults.retry_after else {}
                )
        tail = path.removeprefix("/v2/")
        repository, _, rest = tail.rpartition("/manifests/")
        if not repository:
            repository, _, rest = tail.rpartition("/blobs/")
        if not repository:
            repository = "catalog" if tail == "_catalog" else tail.removesuffix("/tags/list")
        refusal = self._refusal(request, repository)
        if refusal is not None:
            return refusal
        if not tail:
            return web.json_response({})
        if tail == "_catalog":
            return self._catalog(request)
        if "/manifests/" in tail:
            return self._manifest(request, repository, rest)
        if "/blobs/" in tail:
            return await self._blob(request, rest)
        if tail.endswith("/tags/list"):
            return self._tags(request, repository)
        return _error(404, "UNSUPPORTED", "not here")

    def _refusal(self, request: web.Request, repository: str) -> web.Response | None:
        given = request.headers.get("Authorization", "")
        if self.auth == "basic":
            if self._user_of(given):
                return None
            challenge = 'Basic realm="fake"'
        elif self.auth == "bearer":
            granted = self.tokens.get(given.removeprefix("Bearer "))
            if granted is not None and (not repository or f":{repository}:" in f":{granted}:"):
                return None
            challenge = f'Bearer realm="http://{self.host}/token",service="fake"'
            if repository:
                challenge += f',scope="repository:{repository}:pull"'
            if granted is not None:
                challenge += ',error="insufficient_scope"'
        else:
            return None
        return _error(
            401, "UNAUTHORIZED", "authentication required", {"WWW-Authenticate": challenge}
        )

    def _user_of(self, header: str) -> str:
        if not header.startswith("Basic "):
            return ""
        user, _, password = base64.b64decode(header[6:]).decode().partition(":")
        return user if self.users.get(user) == password else ""

    async def _token(self, request: web.Request) -> web.Response:
        form = dict(await request.post()) if request.method == "POST" else dict(request.query)
        self.token_requests.append({key: str(value) for key, value in form.items()})
        user = self._user_of(request.headers.get("Authorization", ""))
        if request.headers.get("Authorization") and not user:
            return _error(401, "UNAUTHORIZED", "incorrect username or password")
        if request.method == "POST":
            if form.get("refresh_token") != self.identity_token:
                return _error(401, "UNAUTHORIZED", "bad refresh token")
            user = "identity"
        scope = str(form.get("scope", ""))
        # As Docker Hub: a token is always given, with what the user may do inside.
        granted = scope.split(":")[1] if (user or self.public) and ":" in scope else "nothing"
        token = secrets.token_hex(8)
        self.tokens[token] = granted
        key = "access_token" if request.method == "POST" else "token"
        answer: dict[str, object] = {key: token, "expires_in": 300}
        if form.get("offline_token") == "true" and self.identity_token:
            answer["refresh_token"] = self.identity_token
        return web.json_response(answer)

    def _manifest(self, request: web.Request, repository: str, name: str) -> web.Response:
        if request.method == "HEAD" and self.faults.no_head:
            return web.Response(status=405)
        found = self.manifests.get((repository, name))
        if found is None:
            if not any(known == repository for known, _ in self.manifests):
                return _error(404, "NAME_UNKNOWN", "repository name not known to registry")
            return _error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        raw, media_type = found
        digest = digest_of(raw)
        if self.faults.wrong_manifest_digest:
            digest = digest_of(b"another")
        headers = {"Docker-Content-Digest": digest, "Content-Type": media_type}
        if self.faults.hide_digest:
            del headers["Docker-Content-Digest"]
        return web.Response(body=raw, headers=headers)

    async def _blob(self, request: web.Request, digest: str) -> web.StreamResponse:
        data = self.blobs.get(digest)
        if data is None:
            return _error(404, "BLOB_UNKNOWN", "blob unknown to registry")
        data = self.faults.wrong_bytes.get(digest, data)
        start, status, headers = 0, 200, {}
        wanted = request.headers.get("Range", "")
        if wanted and self.faults.refuse_range:
            return web.Response(status=416)
        if wanted and not self.faults.ignore_range:
            start = int(wanted.removeprefix("bytes=").rstrip("-")) + self.faults.shift_range
            status = 206
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        response = web.StreamResponse(status=status, headers=headers)
        response.content_length = len(data) - start
        await response.prepare(request)
        cuts = self.faults.cut_after.get(digest)
        if cuts:
            await response.write(data[start : start + cuts.pop(0)])
            assert request.transport is not None
            request.transport.close()
            return response
        hangs = self.faults.hang_after.get(digest)
        if hangs:
            count = hangs.pop(0)
            await response.write(data[start : start + count])
            start += count
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.flows.wait(), 60)
        await response.write(data[start:])
        await response.write_eof()
        return response

    async def _search(self, request: web.Request) -> web.Response:
        """Answer from `index`, the rows that it has by their API's names, or with `index_page`."""
        self.requests.append((request.method, request.path, dict(request.headers)))
        self.queries.append((request.path, request.query_string))
        for status in self.faults.statuses.get("/v1/search", [])[:1]:
            return web.Response(status=status)
        if self.index is None and not self.index_page:
            return web.Response(status=404)
        refusal = self._refusal(request, "catalog")
        if refusal is not None:
            return refusal
        if self.index_page:
            return web.Response(text=self.index_page, content_type="text/html")
        word = request.query.get("q", "")
        rows = [row for row in self.index or [] if word in str(row["name"])]
        return web.json_response({"query": word, "num_results": len(rows), "results": rows})

    def _catalog(self, request: web.Request) -> web.Response:
        last = request.query.get("last", "")
        names = sorted({name for name, _ in self.manifests})
        page = [name for name in names if name > last][: self.page_size]
        headers = {}
        if page and page[-1] != names[-1]:
            headers["Link"] = f'</v2/_catalog?last={page[-1]}&n=1000>; rel="next"'
        return web.json_response({"repositories": page}, headers=headers)

    def _tags(self, request: web.Request, repository: str) -> web.Response:
        tags = sorted(
            name for known, name in self.manifests if known == repository and ":" not in name
        )
        if not tags:
            return _error(404, "NAME_UNKNOWN", "repository name not known to registry")
        last = request.query.get("last", "")
        page = [tag for tag in tags if tag > last][: self.page_size]
        headers = {}
        if page and page[-1] != tags[-1]:
            headers["Link"] = f'</v2/{repository}/tags/list?last={page[-1]}>; rel="next"'
        return web.json_response({"name": repository, "tags": page}, headers=headers)


def _error(
    status: int, code: str, message: str, headers: dict[str, str] | None = None
) -> web.Response:
    body = {"errors": [{"code": code, "message": message}]}
    return web.json_response(body, status=status, headers=headers)
