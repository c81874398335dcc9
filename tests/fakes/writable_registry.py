"""The fake registry with the other half of the protocol: uploads, mounts, manifests, and mishaps.

    async with WritableRegistry() as registry:
        registry.mishaps["PATCH"] = ["cut:1000", "503"]
        ... registry.sent ...                    # bytes of bodies, by digest of the blob

A mishap is used up by one request of its method: `503` or any other status; `cut:N`: N bytes of
the body are kept, then the connection breaks; `short:N`: only N bytes are kept, which is told;
`lost`: the upload is forgotten; `done, cut`: the work is done, the answer is not given;
`nowhere`: no Location is told.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import defaultdict
from dataclasses import dataclass, field

from aiohttp import web

from fakes.fake_registry import FakeRegistry, digest_of


@dataclass
class _Upload:
    repository: str
    data: bytearray = field(default_factory=bytearray)
    patches: int = 0


class WritableRegistry(FakeRegistry):
    """Repositories that can be written."""

    def __init__(self, *, auth: str = "", users: dict[str, str] | None = None) -> None:
        super().__init__(auth=auth, users=users)
        self.held: set[tuple[str, str]] = set()
        """which repository has which blob"""
        self.mishaps: dict[str, list[str]] = defaultdict(list)
        self.sent: list[int] = []
        """bytes of each body of an upload"""
        self.pieces_taken = 1 << 30
        """how many PATCHes an upload may have"""
        self.forgets_cuts = False
        """whether an upload is lost with its connection, as in docker-registry"""
        self.refused_types: set[str] = set()
        self.absolute_locations = False
        self.uploads_at = ""
        """another host where uploads go"""
        self.smallest_piece = 0
        self.largest_body = 1 << 62
        """what a proxy in front lets pass of an upload"""
        self.uploads: dict[str, _Upload] = {}
        self.gate = asyncio.Event()
        """what ends of uploads wait for"""
        self.gate.set()
        self.waiting = asyncio.Event()
        """set when one waits there"""

    def hold(self, repository: str, data: bytes) -> str:
        """Let a repository have a blob."""
        digest = self.add_blob(data)
        self.held.add((repository, digest))
        return digest

    def verbs(self) -> list[str]:
        """Return the methods and last words of all requests about uploads and manifests."""
        return [
            f"{method} {path.rpartition('/')[2] if 'manifests' in path else 'upload'}"
            for method, path, _ in self.requests
            if "/uploads/" in path or (method == "PUT" and "/manifests/" in path)
        ]

    async def _v2(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix("/v2/")
        repository, is_upload, upload = path.partition("/blobs/uploads/")
        writes = is_upload or (request.method == "PUT" and "/manifests/" in path)
        asks_for_blob = request.method == "HEAD" and "/blobs/" in path
        if not (writes or asks_for_blob):
            return await super()._v2(request)
        repository = repository.partition("/manifests/")[0].partition("/blobs/")[0]
        self.requests.append((request.method, path, dict(request.headers)))
        refusal = self._refusal(request, repository)
        if refusal is not None:
            return refusal
        kind = "MANIFEST" if "/manifests/" in path else request.method
        mishap = self.mishaps[kind].pop(0) if self.mishaps[kind] else ""
        if mishap.isdecimal():
            await request.read()
            return web.Response(status=int(mishap), headers={"Retry-After": "7"})
        if asks_for_blob:
            has = (repository, path.rpartition("/")[2]) in self.held
            return web.Response(status=200 if has else 404)
        if not is_upload:
            return await self._put_manifest(request, repository, path.rpartition("/")[2])
        if request.method == "POST":
            return self._begin(request, repository, mishap)
        return await self._go_on(request, upload, mishap)

    def _begin(self, request: web.Request, repository: str, mishap: str) -> web.Response:
        mounted, source = request.query.get("mount", ""), request.query.get("from", "")
        if (source, mounted) in self.held and f"{source}:" not in mishap:
            self.held.add((repository, mounted))
            return web.Response(status=201, headers={"Location": f"/v2/{repository}/blobs/x"})
        name = secrets.token_hex(4)
        self.uploads[name] = _Upload(repository)
        headers = {} if mishap == "nowhere" else {"Location": self._location(repository, name)}
        if self.smallest_piece:
            headers["OCI-Chunk-Min-Length"] = str(self.smallest_piece)
        return web.Response(status=202, headers=headers)

    def _location(self, repository: str, name: str) -> str:
        path = f"/v2/{repository}/blobs/uploads/{name}?_state=a%2Fb%3D&x=1"
        if self.uploads_at:
            return f"http://{self.uploads_at}{path}"
        return f"http://{self.host}{path}" if self.absolute_locations else path

    async def _go_on(self, request: web.Request, name: str, mishap: str) -> web.StreamResponse:
        if (request.content_length or 0) > self.largest_body:
            # As nginx, which does not wait for the body.
            return web.Response(status=413, text="<html>too large</html>", content_type="text/html")
        upload = self.uploads.get(name)
        if upload is None or mishap == "lost" or "_state=a%2Fb%3D&x=1" not in request.raw_path:
            await request.read()
            self.uploads.pop(name, None)
            return web.Response(status=404)
        if request.method == "DELETE":
            del self.uploads[name]
            return web.Response(status=204)
        if request.method == "GET":
            return self._status(upload, name, 204)
        wanted = request.headers.get("Content-Range", f"{len(upload.data)}-").partition("-")[0]
        if int(wanted) != len(upload.data) or upload.patches >= self.pieces_taken:
            await request.read()
            return web.Response(status=416)
        if mishap.startswith(("cut:", "short:")):
            await self._take_part(request, upload, int(mishap.partition(":")[2]))
            if mishap.startswith("short:"):
                return self._status(upload, name, 202)
            if self.forgets_cuts:
                del self.uploads[name]
            return _hang_up(request)
        data = await request.read()
        self.sent.append(len(data))
        upload.data += data
        upload.patches += 1
        if request.method == "PUT":
            self.waiting.set()
            await self.gate.wait()
            return self._finish(request, upload, name, mishap)
        if mishap == "done, cut":
            return _hang_up(request)
        return self._status(upload, name, 202)

    async def _take_part(self, request: web.Request, upload: _Upload, count: int) -> None:
        part = await request.content.readexactly(count)
        self.sent.append(count)
        upload.data += part

    def _status(self, upload: _Upload, name: str, status: int) -> web.Response:
        headers = {
            "Location": self._location(upload.repository, name),
            "Range": f"0-{max(len(upload.data) - 1, 0)}",
        }
        return web.Response(status=status, headers=headers)

    def _finish(
        self, request: web.Request, upload: _Upload, name: str, mishap: str
    ) -> web.StreamResponse:
        del self.uploads[name]
        data = bytes(upload.data)
        if request.query["digest"] != digest_of(data):
            body = {"errors": [{"code": "DIGEST_INVALID", "message": "provided digest differs"}]}
            return web.json_response(body, status=400)
        self.hold(upload.repository, data)
        return _hang_up(request) if mishap == "done, cut" else web.Response(status=201)

    async def _put_manifest(
        self, request: web.Request, repository: str, name: str
    ) -> web.StreamResponse:
        raw, media_type = await request.read(), request.headers["Content-Type"]
        if media_type in self.refused_types:
            body = {"errors": [{"code": "MANIFEST_INVALID", "message": "manifest invalid"}]}
            return web.json_response(body, status=400)
        digest = self.put_manifest(repository, name, raw, media_type)
        return web.Response(status=201, headers={"Docker-Content-Digest": digest})


def _hang_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    raise asyncio.CancelledError
