"""`rmi`, decided: which names and images go, or why they stay.

Works on rows alone; blobs and snapshots that nothing names any more are collected afterwards.
Rules and texts are Docker's, because scripts match on them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from naru.db.images import ImageRow, ImageRows
from naru.errors import ConflictError, NotFoundError
from naru.faults import fault_point
from naru.ids import short_id
from naru.oci.reference import Reference

_BEFORE_DELETE = fault_point("images.remove.before_delete")


@dataclass(frozen=True, slots=True)
class ImageUser:
    """A container that was made from an image, or whatever else of this `kind` needs it."""

    container_id: str
    is_running: bool
    kind: str = "container"


UsersOf = Callable[[str], Sequence[ImageUser]]


@dataclass(slots=True)
class Removed:
    """What a removal did, in order. `deleted` are image ids; `untagged` familiar names."""

    records: list[dict[str, str]] = field(default_factory=list)

    def untagged(self, reference: Reference) -> None:
        self.records.append({"Untagged": reference.familiar})

    def deleted(self, digest: str) -> None:
        self.records.append({"Deleted": digest})


class _InUseError(ConflictError):
    """The image stays because containers use it, not because images do."""


def is_id_of(image_id: str, text: str) -> bool:
    """Say whether `text` names the image by (a prefix of) its id."""
    return image_id.startswith(text) or image_id.removeprefix("sha256:").startswith(text)


def has_single_reference(references: Sequence[Reference]) -> bool:
    """Say whether at most one tag, and digests of the same repository only, name an image.

    Spec: moby, daemon/images/image_delete.go, isSingleReference.
    """
    if len(references) <= 1:
        return True
    tags = [reference for reference in references if reference.digest is None]
    if len(tags) > 1:
        return False
    home = (tags or references)[0].name
    return {reference.name for reference in references if reference.digest} == {home}


def remove_rows(
    rows: ImageRows, image: ImageRow, name: str, *, force: bool, prune: bool, users: UsersOf
) -> Removed:
    """Untag `name`, and delete the image when that was its last name. One transaction.

    `prune` also deletes parents that nothing else needs. By id, all names go at once, if they
    are of one repository or `force` is given.

    Raises:
        ConflictError: with Docker's reason.
        NotFoundError: somebody else took the image or the name away.

    Spec: moby, daemon/images/image_delete.go, ImageDelete.
    """
    removed = Removed()
    with rows.write():
        if rows.get(image.image_id) is None:
            raise NotFoundError(f"No such image: {name}")
        if is_id_of(image.image_id, name):
            _remove_by_id(rows, image, removed, force=force, prune=prune, users=users)
        else:
            reference = Reference.parse(name).with_default_tag()
            _remove_by_name(
                rows, image, reference, removed, force=force, prune=prune, users=users, given=name
            )
        _BEFORE_DELETE()
    return removed


def _references(rows: ImageRows, image_id: str) -> list[Reference]:
    return [row.reference for row in rows.names(image_id)]


def _remove_by_id(
    rows: ImageRows, image: ImageRow, removed: Removed, *, force: bool, prune: bool, users: UsersOf
) -> None:
    references = _references(rows, image.image_id)
    if has_single_reference(references):
        _refuse_conflicts(rows, image.image_id, users, force=force, ignore_names=True)
        for reference in references:
            rows.remove_name(reference)
            removed.untagged(reference)
    _delete(rows, image, removed, force=force, prune=prune, quiet=False, users=users)


def _remove_by_name(
    rows: ImageRows,
    image: ImageRow,
    reference: Reference,
    removed: Removed,
    *,
    force: bool,
    prune: bool,
    users: UsersOf,
    given: str,
) -> None:
    references = _references(rows, image.image_id)
    using = users(image.image_id)
    if not force and using and has_single_reference(references):
        raise ConflictError(
            f'conflict: unable to remove repository reference "{given}" (must force) - '
            f"{using[0].kind} {short_id(using[0].container_id)} is using its referenced image "
            f"{short_id(image.image_id)}"
        )
    if not rows.remove_name(reference):
        raise NotFoundError(f"No such image: {reference.familiar}")
    removed.untagged(reference)
    left = _references(rows, image.image_id)
    same_repository = [other for other in left if other.name == reference.name]
    if reference.digest is None and all(other.digest for other in same_repository):
        for other in same_repository:
            rows.remove_name(other)
            removed.untagged(other)
        left = [other for other in left if other.name != reference.name]
    if not left:
        _delete(rows, image, removed, force=force, prune=prune, quiet=True, users=users)


def _delete(
    rows: ImageRows,
    image: ImageRow,
    removed: Removed,
    *,
    force: bool,
    prune: bool,
    quiet: bool,
    users: UsersOf,
) -> None:
    """Delete an image and then, with `prune`, the untagged parents that only it needed."""
    try:
        _refuse_conflicts(rows, image.image_id, users, force=force, ignore_names=False)
    except ConflictError as conflict:
        # Only losing its last name can make an image dangle; then the user has to know why it
        # stays, unless a container is the reason, which `ps` shows.
        is_dangling = not rows.names(image.image_id) and not rows.children(image.image_id)
        if quiet and (not is_dangling or isinstance(conflict, _InUseError)):
            return
        raise
    for reference in _references(rows, image.image_id):
        rows.remove_name(reference)
        removed.untagged(reference)
    rows.delete(image.image_id)
    removed.deleted(image.image_id)
    parent = rows.get(image.parent_id) if prune and image.parent_id else None
    if parent is not None:
        _delete(rows, parent, removed, force=False, prune=True, quiet=True, users=users)


def _refuse_conflicts(
    rows: ImageRows, image_id: str, users: UsersOf, *, force: bool, ignore_names: bool
) -> None:
    using = users(image_id)
    running = [user for user in using if user.is_running]
    stopped = [user for user in using if not user.is_running]
    if rows.children(image_id):
        raise ConflictError(_conflict(image_id, "cannot be", "image has dependent child images"))
    if running:
        user = running[0]
        words = f"image is being used by running {user.kind} {short_id(user.container_id)}"
        raise _InUseError(_conflict(image_id, "cannot be", words))
    if force:
        return
    if not ignore_names and rows.names(image_id):
        words = "image is referenced in multiple repositories"
        raise ConflictError(_conflict(image_id, "must be", words))
    if stopped:
        words = f"image is being used by stopped container {short_id(stopped[0].container_id)}"
        raise _InUseError(_conflict(image_id, "must be", words))


def _conflict(image_id: str, how: str, words: str) -> str:
    return f"conflict: unable to delete {short_id(image_id)} ({how} forced) - {words}"
