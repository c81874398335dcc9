"""From `USER` and `--group-add` to numbers, by the container's own passwd and group files. Pure.

Both files come from the image and may hold anything: malformed lines are passed over.

Spec: passwd(5), group(5); Docker's `--user` (name or uid, with an optional group after a colon).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from naru.errors import InvalidInputError

_MAX_ID: Final = (1 << 31) - 1
_RANGE_TEXT: Final = f"uids and gids must be in range 0-{_MAX_ID}"


@dataclass(frozen=True, slots=True)
class User:
    """Who a process runs as; `groups` holds the first group too."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str


@dataclass(frozen=True, slots=True)
class _Account:
    name: str
    uid: int
    gid: int
    home: str


@dataclass(frozen=True, slots=True)
class _Group:
    name: str
    gid: int
    members: tuple[str, ...]


def resolve_user(text: str, passwd: str, group: str, group_add: Iterable[str] = ()) -> User:
    """Find out who `text` is.

    A number needs no entry; a name does. The groups of a named or known user are those that list
    it, unless `text` names a group itself.

    Raises:
        InvalidInputError: nobody by that name, or a number out of range; with Docker's words.
    """
    name, _, group_name = text.partition(":")
    groups = list(_groups(group))
    account = _find_account(name or "0", _accounts(passwd))
    if account is not None:
        uid, gid, home = account.uid, account.gid, account.home or "/"
    elif _is_number(name or "0"):
        uid, gid, home = _number(name or "0"), 0, "/"
    else:
        raise InvalidInputError(f"unable to find user {name}: no matching entries in passwd file")
    supplementary: list[int] = []
    if group_name:
        gid = _find_gid(group_name, groups, "unable to find group")
    elif account is not None:
        supplementary = [entry.gid for entry in groups if account.name in entry.members]
    added = [_find_gid(extra, groups, "Unable to find group") for extra in group_add]
    return User(uid, gid, tuple(dict.fromkeys([gid, *supplementary, *added])), home)


def _find_account(name: str, accounts: Iterable[_Account]) -> _Account | None:
    """Return the first entry with that name or number; a name may look like a number."""
    number = int(name) if _fits(name) else -1
    for account in accounts:
        if account.name == name or account.uid == number:
            return account
    return None


def _find_gid(name: str, groups: Sequence[_Group], not_found: str) -> int:
    for entry in groups:
        if name == entry.name:
            return entry.gid
    if _is_number(name):
        return _number(name)
    raise InvalidInputError(f"{not_found} {name}: no matching entries in group file")


def _is_number(text: str) -> bool:
    return text.isascii() and text.removeprefix("-").isdigit()


def _number(text: str) -> int:
    number = int(text) if len(text) <= 20 else -1
    if not 0 <= number <= _MAX_ID:
        raise InvalidInputError(_RANGE_TEXT)
    return number


def _accounts(text: str) -> Iterator[_Account]:
    for fields in _entries(text):
        if len(fields) >= 4 and _fits(fields[2]) and _fits(fields[3]):
            home = fields[5] if len(fields) > 5 else ""
            yield _Account(fields[0], int(fields[2]), int(fields[3]), home)


def _groups(text: str) -> Iterator[_Group]:
    for fields in _entries(text):
        if len(fields) >= 3 and _fits(fields[2]):
            members = fields[3].split(",") if len(fields) > 3 else []
            yield _Group(fields[0], int(fields[2]), tuple(member.strip() for member in members))


def _entries(text: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield stripped.split(":")


def _fits(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= _MAX_ID
