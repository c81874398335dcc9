"""`rmi`: which names and images go, with the texts that were read off Docker 20.10."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from naru.db.database import Database
from naru.db.images import ImageRow, ImageRows, NameRow
from naru.errors import ConflictError, NotFoundError
from naru.images.removal import ImageUser, has_single_reference, remove_rows
from naru.oci.digest import Digest
from naru.oci.reference import Reference

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")
DIGEST = Digest(f"sha256:{'d' * 64}")
CONTAINER = "f" * 64


@pytest.fixture
def rows(tmp_path: Path) -> ImageRows:
    return ImageRows(Database(tmp_path / "db"))


def add(rows: ImageRows, image_id: str, *names: str, parent: str = "") -> None:
    rows.put(ImageRow(Digest(image_id), DIGEST, None, parent_id=parent))
    for name in names:
        rows.set_name(NameRow(Reference.parse(name), Digest(image_id)))


def remove(
    rows: ImageRows,
    image_id: str,
    name: str,
    *,
    force: bool = False,
    prune: bool = True,
    users: Sequence[ImageUser] = (),
) -> list[str]:
    """Return what was done as `U:name` and `D:first letter of the id`."""
    row = rows.get(image_id)
    assert row is not None
    done = remove_rows(
        rows,
        row,
        name,
        force=force,
        prune=prune,
        users=lambda wanted: list(users) if wanted == image_id else [],
    )
    return [
        f"U:{record['Untagged']}" if "Untagged" in record else f"D:{record['Deleted'][7]}"
        for record in done.records
    ]


def message(
    rows: ImageRows,
    image_id: str,
    name: str,
    *,
    force: bool = False,
    users: Sequence[ImageUser] = (),
) -> str:
    before = rows.names()
    with pytest.raises(ConflictError) as caught:
        remove(rows, image_id, name, force=force, users=users)
    assert rows.names() == before
    return caught.value.message


def test_one_of_two_tags_is_only_untagged(rows: ImageRows) -> None:
    add(rows, A, "x:1", "x:2")
    assert remove(rows, A, "x:1") == ["U:x:1"]
    assert rows.get(A) is not None


def test_last_tag_takes_the_image_with_it(rows: ImageRows) -> None:
    add(rows, A, "x:latest")
    assert remove(rows, A, "x") == ["U:x:latest", "D:a"]
    assert rows.get(A) is None


def test_last_tag_takes_the_digests_of_its_repository_with_it(rows: ImageRows) -> None:
    add(rows, A, "x:1", f"x@{DIGEST}")
    assert remove(rows, A, "x:1") == ["U:x:1", f"U:x@{DIGEST}", "D:a"]


def test_digest_of_another_repository_keeps_the_image(rows: ImageRows) -> None:
    add(rows, A, "x:1", f"y@{DIGEST}")
    assert remove(rows, A, "x:1") == ["U:x:1"]
    assert rows.get(A) is not None


def test_a_name_by_digest_goes_with_its_image(rows: ImageRows) -> None:
    add(rows, A, f"x@{DIGEST}")
    assert remove(rows, A, f"x@{DIGEST}") == [f"U:x@{DIGEST}", "D:a"]


def test_a_tag_and_a_digest_together_are_untagged_as_they_were_said(rows: ImageRows) -> None:
    add(rows, A, "x:1", f"x@{DIGEST}")
    assert remove(rows, A, f"x:1@{DIGEST}") == [f"U:x:1@{DIGEST}"]
    assert [str(name.reference) for name in rows.names()] == ["x:1"]


def test_what_somebody_else_took_away_is_not_told_of_twice(rows: ImageRows) -> None:
    add(rows, A, "x:1", "x:2")
    image = rows.get(A)
    assert image is not None
    remove(rows, A, "x:1")

    def again(name: str) -> None:
        remove_rows(rows, image, name, force=False, prune=True, users=lambda _: [])

    with pytest.raises(NotFoundError, match="No such image: x:1"):
        again("x:1")
    remove(rows, A, "x:2")
    for name in (A, "x:2"):
        with pytest.raises(NotFoundError, match=f"No such image: {name}"):
            again(name)


@pytest.mark.parametrize("name", [A, A[7:], A[:20], A[7:12]])
def test_id_takes_all_names_of_one_repository(rows: ImageRows, name: str) -> None:
    add(rows, A, "x:1", f"x@{DIGEST}")
    assert remove(rows, A, name) == ["U:x:1", f"U:x@{DIGEST}", "D:a"]


def test_id_of_several_repositories_needs_force(rows: ImageRows) -> None:
    add(rows, A, "x:1", "y:1")
    assert message(rows, A, A) == (
        "conflict: unable to delete aaaaaaaaaaaa (must be forced) - "
        "image is referenced in multiple repositories"
    )
    assert remove(rows, A, A, force=True) == ["U:x:1", "U:y:1", "D:a"]


def test_id_of_two_tags_in_one_repository_needs_force_too(rows: ImageRows) -> None:
    add(rows, A, "x:1", "x:2")
    assert "(must be forced)" in message(rows, A, A)


def test_last_name_stays_while_a_container_uses_it(rows: ImageRows) -> None:
    add(rows, A, "x:1")
    users = [ImageUser(CONTAINER, is_running=False)]
    assert message(rows, A, "x:1", users=users) == (
        'conflict: unable to remove repository reference "x:1" (must force) - '
        "container ffffffffffff is using its referenced image aaaaaaaaaaaa"
    )
    assert remove(rows, A, "x:1", users=users, force=True) == ["U:x:1", "D:a"]


def test_one_of_two_names_goes_while_a_container_uses_the_image(rows: ImageRows) -> None:
    add(rows, A, "x:1", "x:2")
    assert remove(rows, A, "x:1", users=[ImageUser(CONTAINER, is_running=True)]) == ["U:x:1"]


def test_id_of_a_stopped_containers_image_needs_force(rows: ImageRows) -> None:
    add(rows, A, "x:1")
    users = [ImageUser(CONTAINER, is_running=False)]
    assert message(rows, A, A, users=users) == (
        "conflict: unable to delete aaaaaaaaaaaa (must be forced) - "
        "image is being used by stopped container ffffffffffff"
    )
    assert remove(rows, A, A, users=users, force=True) == ["U:x:1", "D:a"]


def test_image_of_a_running_container_stays_even_when_forced(rows: ImageRows) -> None:
    add(rows, A, "x:1")
    users = [ImageUser(CONTAINER, is_running=True)]
    assert message(rows, A, A, users=users, force=True) == (
        "conflict: unable to delete aaaaaaaaaaaa (cannot be forced) - "
        "image is being used by running container ffffffffffff"
    )


def test_forced_by_name_leaves_the_image_of_a_running_container_without_name(
    rows: ImageRows,
) -> None:
    add(rows, A, "x:1")
    users = [ImageUser(CONTAINER, is_running=True)]
    assert remove(rows, A, "x:1", users=users, force=True) == ["U:x:1"]
    assert rows.get(A) is not None


def test_image_with_children_stays(rows: ImageRows) -> None:
    add(rows, A)
    add(rows, B, "x:1", parent=A)
    assert message(rows, A, A, force=True) == (
        "conflict: unable to delete aaaaaaaaaaaa (cannot be forced) - "
        "image has dependent child images"
    )


def test_untagged_parents_go_with_the_last_child(rows: ImageRows) -> None:
    add(rows, A)
    add(rows, B, parent=A)
    add(rows, C, "x:1", parent=B)
    assert remove(rows, C, "x:1") == ["U:x:1", "D:c", "D:b", "D:a"]


def test_parents_stay_without_prune(rows: ImageRows) -> None:
    add(rows, A)
    add(rows, B, "x:1", parent=A)
    assert remove(rows, B, "x:1", prune=False) == ["U:x:1", "D:b"]


def test_parents_with_a_name_or_another_child_stay(rows: ImageRows) -> None:
    add(rows, A, "base:1")
    add(rows, B, "x:1", parent=A)
    assert remove(rows, B, "x:1") == ["U:x:1", "D:b"]
    add(rows, B, "x:1", parent=A)
    rows.remove_name(Reference.parse("base:1"))
    add(rows, C, "y:1", parent=A)
    assert remove(rows, B, "x:1") == ["U:x:1", "D:b"]


def test_untagging_a_parent_says_nothing_of_its_children(rows: ImageRows) -> None:
    add(rows, A, "base:1")
    add(rows, B, "x:1", parent=A)
    assert remove(rows, A, "base:1") == ["U:base:1"]


@pytest.mark.parametrize(
    ("names", "single"),
    [
        ([], True),
        (["x:1"], True),
        (["x:1", "x:2"], False),
        (["x:1", f"x@{DIGEST}"], True),
        (["x:1", f"y@{DIGEST}"], False),
        ([f"x@{DIGEST}", f"y@{DIGEST}"], False),
    ],
)
def test_what_counts_as_a_single_reference(names: list[str], single: bool) -> None:
    assert has_single_reference([Reference.parse(name) for name in names]) is single
