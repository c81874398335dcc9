"""What engines of ours tell each other, through a client, about the content of images. Pure.

Extensions of Docker's API, for `image copy`: `GET` and `POST /images/{name}/content`, and
`POST /images/missing`.
"""

from __future__ import annotations

import msgspec


class ImageContent(msgspec.Struct, rename="pascal", kw_only=True):
    """An image as it is stored: its documents to the byte, in base64 on the wire.

    `name` is the familiar form of the tag that was asked for, "" for an id or a digest.
    """

    id: str
    name: str = ""
    manifest: bytes
    manifest_type: str
    config: bytes


class BlobsRequest(msgspec.Struct, rename="pascal"):
    """The layers of an image that are wanted, by digest; they come one after the other."""

    blobs: list[str] = []


class MissingRequest(msgspec.Struct, rename="pascal"):
    """What somebody could send: blobs by digest, or the layers of an image, lowest first."""

    blobs: list[str] = []
    diff_ids: list[str] = msgspec.field(default_factory=list, name="DiffIDs")


class MissingAnswer(msgspec.Struct, rename="pascal"):
    """What of it is not here."""

    blobs: list[str] = []
    diff_ids: list[str] = msgspec.field(default_factory=list, name="DiffIDs")
