"""Registries as the ends of a copy: the engine is the one that talks to them."""

from __future__ import annotations

from naru.client.copying.content import CopyFailedError
from naru.client.stream_failure import failure_in
from naru.client.transport import quote
from naru.errors import NotFoundError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from naru.client.copying.transfer import Report
    from naru.client.transport import Client
    from naru.oci.reference import Reference


def pull(
    client: Client,
    reference: Reference,
    *,
    platform: str,
    auth: Mapping[str, str],
    report: Report,
) -> str:
    """Have an engine pull an image without a tag; return the name, with a digest, that it got.

    Pulled by its tag it would take that name from whatever the engine calls so.

    Raises:
        NotFoundError: the registry does not have it, or does not show it.
        CopyFailedError: the pull failed half way.
    """
    digest = (
        reference.digest
        or client.get(f"/distribution/{quote(reference.familiar, b'/:@')}/json", headers=auth)[
            "Descriptor"
        ]["digest"]
    )
    query = {
        "fromImage": reference.familiar_name,
        "tag": digest,
        "platform": platform or None,
    }
    _follow(client.stream("POST", "/images/create", query, headers=auth), report)
    return f"{reference.familiar_name}@{digest}"


def push(
    client: Client,
    name: str,
    target: Reference,
    *,
    auth: Mapping[str, str],
    report: Report,
    left: list[str],
) -> None:
    """Have an engine push the image `name` under the name `target`.

    The engine calls the image so meanwhile. Afterwards names are what they were before, but for
    an image that has none in another repository: without this one it would go, so it is `left`,
    which is added to.

    Raises:
        NotFoundError: the engine has no such image.
        CopyFailedError: the registry refuses it or cannot be reached.
    """
    image = client.get(f"{_path(name)}/json")
    before = find_image(client, target.familiar)
    is_there = before is not None and before["Id"] == image["Id"]
    if not is_there:
        tag(client, image["Id"], target)
    try:
        path = f"{_path(target.familiar_name)}/push"
        _follow(client.stream("POST", path, {"tag": target.tag}, headers=auth), report)
    finally:
        if before is not None and not is_there:
            tag(client, before["Id"], target)
        if not is_there and _has_another_name(image, target):
            _forget_new_names(client, image, target)
        elif before is None:
            left.append(target.familiar)


def _has_another_name(image: dict[str, Any], target: Reference) -> bool:
    """Say whether an image stays without its names in a repository; digests go with tags there."""
    digests = {name.partition("@")[0] for name in image.get("RepoDigests") or ()}
    return bool(image.get("RepoTags")) or bool(digests - {target.familiar_name})


def _forget_new_names(client: Client, image: dict[str, Any], target: Reference) -> None:
    """Take from an image what it is called in a repository since `image` was asked for."""
    for name in set(names_of(find_image(client, image["Id"]))) - set(names_of(image)):
        # A digest may have gone with the tag.
        if _repository(name) == target.familiar_name and find_image(client, name):
            forget(client, name)


def _repository(name: str) -> str:
    name = name.partition("@")[0]
    repository, colon, tag_ = name.rpartition(":")
    return repository if colon and "/" not in tag_ else name


def find_image(client: Client, name: str) -> dict[str, Any] | None:
    """Return what an engine knows of the image of this name; None if it has none."""
    try:
        found: dict[str, Any] = client.get(f"{_path(name)}/json")
    except NotFoundError:
        return None
    return found


def tag(client: Client, name: str, target: Reference) -> None:
    """Give an image one more name."""
    query = {"repo": target.familiar_name, "tag": target.tag}
    client.post(f"{_path(name)}/tag", query)


def forget(client: Client, name: str) -> None:
    """Take a name from an image, which goes with its last one."""
    client.delete(_path(name))


def names_of(image: dict[str, Any] | None) -> list[str]:
    """Return the tags and digests that an image is called by."""
    image = image or {}
    return [*(image.get("RepoTags") or ()), *(image.get("RepoDigests") or ())]


def _path(name: str) -> str:
    return f"/images/{quote(name, b'/:@')}"


def _follow(records: Iterable[dict[str, Any]], report: Report) -> None:
    for record in records:
        failure = failure_in(record)
        if failure is not None:
            raise CopyFailedError(failure.message, hint=failure.hint)
        report(record)
