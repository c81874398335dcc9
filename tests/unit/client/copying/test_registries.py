"""Engines that pull and push for a copy, and what they call images afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest

from naru.client.copying.content import CopyFailedError
from naru.client.copying.registries import pull, push
from naru.errors import NotFoundError
from naru.oci.reference import Reference

DIGEST = "sha256:" + "d" * 64
TARGET = Reference.parse("reg.lan/web:1")


class Client:
    """An engine that knows names of images, and that forgets an image with its last one."""

    def __init__(self, **names: list[str]) -> None:
        self.names = {name: image for image, all_ in names.items() for name in all_}
        self.images = set(names)
        self.records: list[dict[str, Any]] = [{"status": "Pushed"}]
        self.asked: list[tuple[str, Any]] = []

    def _find(self, name: str) -> str:
        if name in self.images:
            return name
        if name not in self.names:
            raise NotFoundError(f"No such image: {name}")
        return self.names[name]

    def get(self, path: str, query: Any = None, headers: Any = None) -> dict[str, Any]:
        self.asked.append((path, headers))
        if path.startswith("/distribution/"):
            return {"Descriptor": {"digest": DIGEST}}
        image = self._find(unquote(path).removeprefix("/images/").removesuffix("/json"))
        names = [name for name, owner in self.names.items() if owner == image]
        return {
            "Id": image,
            "RepoTags": [name for name in names if "@" not in name],
            "RepoDigests": [name for name in names if "@" in name],
        }

    def post(self, path: str, query: Any) -> None:
        image = self._find(unquote(path).removeprefix("/images/").removesuffix("/tag"))
        self.names[f"{query['repo']}:{query['tag']}"] = image

    def delete(self, path: str) -> None:
        name = unquote(path).removeprefix("/images/")
        image = self._find(name)
        del self.names[name]
        if image not in self.names.values():
            self.images.discard(image)

    def stream(self, method: str, path: str, query: Any, headers: Any) -> Iterator[dict[str, Any]]:
        self.asked.append((path, query))
        if path.endswith("/push") and "error" not in self.records[-1]:
            self.names[f"reg.lan/web@{DIGEST}"] = self.names[TARGET.familiar]
        yield from self.records


def pushed(client: Client, name: str) -> list[str]:
    left: list[str] = []
    push(client, name, TARGET, auth={}, report=lambda _: None, left=left)  # type: ignore[arg-type]  # all of a client that it uses
    return left


def test_names_are_what_they_were() -> None:
    client = Client(a=["web:1"], b=["reg.lan/web:1", "other:1"])
    before = dict(client.names)
    assert pushed(client, "web:1") == []
    assert client.names == before
    client = Client(a=["web:1"])
    assert pushed(client, "web:1") == []
    assert client.names == {"web:1": "a"}


def test_an_image_that_has_the_name_keeps_it_and_is_known_by_its_digest() -> None:
    client = Client(a=["reg.lan/web:1"])
    assert pushed(client, "reg.lan/web:1") == []
    assert client.names == {"reg.lan/web:1": "a", f"reg.lan/web@{DIGEST}": "a"}


@pytest.mark.parametrize("names", [[], ["reg.lan/web@sha256:" + "e" * 64]])
def test_the_only_name_of_an_image_is_left(names: list[str]) -> None:
    client = Client(a=names)
    assert pushed(client, "a") == ["reg.lan/web:1"]
    assert client.names["reg.lan/web:1"] == "a"


def test_a_push_that_fails_puts_names_back_too() -> None:
    client = Client(a=["web:1"], b=["reg.lan/web:1"])
    client.records = [{"status": "Preparing"}, {"errorDetail": {"message": "denied"}, "error": "x"}]
    with pytest.raises(CopyFailedError, match=r"^denied$"):
        pushed(client, "web:1")
    assert client.names == {"web:1": "a", "reg.lan/web:1": "b"}
    with pytest.raises(NotFoundError):
        pushed(client, "none:1")


def test_a_pull_is_by_digest_with_the_login() -> None:
    client = Client()
    said: list[dict[str, Any]] = []
    auth = {"X-Registry-Auth": "me"}
    name = pull(client, TARGET, platform="", auth=auth, report=said.append)  # type: ignore[arg-type]  # as above
    assert name == f"reg.lan/web@{DIGEST}"
    assert client.asked == [
        ("/distribution/reg.lan/web:1/json", auth),
        ("/images/create", {"fromImage": "reg.lan/web", "tag": DIGEST, "platform": None}),
    ]
    assert said == client.records
