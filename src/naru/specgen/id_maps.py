"""Whose ids a container's users are on the host: `--userns-remap`, subuid(5) and subgid(5). Pure.

Spec: user_namespaces(7), /proc/pid/uid_map; moby, parseRemappedRoot for the forms and the texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from naru.errors import InvalidInputError
from naru.oci.runtime_spec import Json

# What the setting `default` stands for: an account that is made when it is missing.
DEFAULT_SETTING: Final = "default"
DEFAULT_ACCOUNT: Final = "dockremap"
_FIRST_FREE: Final = 100_000
RANGE_SIZE: Final = 65_536
# The kernel's limit on lines of a map.
_MAX_RANGES: Final = 340
# What the kernel shows of owners without a number, in uid and gid alike.
_NOBODY: Final = 65_534
_MAX_ID: Final = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class IdRange:
    """`size` ids from `inside` on are those from `outside` on to the host."""

    inside: int
    outside: int
    size: int


@dataclass(frozen=True, slots=True)
class IdMaps:
    """The users and the groups of a user namespace."""

    uids: tuple[IdRange, ...]
    gids: tuple[IdRange, ...]

    @property
    def root_uid(self) -> int:
        """Who root of the container is on the host."""
        return self.uids[0].outside

    @property
    def root_gid(self) -> int:
        """Which group root's is on the host."""
        return self.gids[0].outside

    def on_host(self, uid: int, gid: int) -> tuple[int, int]:
        """Return who a user and a group of the container are on the host.

        Raises:
            InvalidInputError: the container does not have them.
        """
        return _outside(self.uids, uid, "uid"), _outside(self.gids, gid, "gid")

    def inside(self, uid: int, gid: int) -> tuple[int, int]:
        """Return who a user and a group of the host are in the container; strangers are nobody."""
        return _inside(self.uids, uid), _inside(self.gids, gid)

    @property
    def last_gid(self) -> int:
        """The highest group that the container has."""
        return self.gids[-1].inside + self.gids[-1].size - 1


_ALL: Final = (IdRange(0, 0, _MAX_ID),)


def _outside(ranges: Iterable[IdRange], number: int, what: str) -> int:
    for one in ranges:
        if one.inside <= number < one.inside + one.size:
            return one.outside + number - one.inside
    raise InvalidInputError(f"{what} {number} does not exist in the container's user namespace")


def _inside(ranges: Iterable[IdRange], number: int) -> int:
    for one in ranges:
        if one.outside <= number < one.outside + one.size:
            return one.inside + number - one.outside
    return _NOBODY


def exchanged(maps: IdMaps | None, owner: tuple[int, int], user: tuple[int, int]) -> IdMaps:
    """Return the maps of a mount that gives a container's user what belongs to `owner` on disk.

    And the other way round, so that each file still has one owner, and what the user makes there
    is `owner`'s on disk. `maps` are the container's own; None where its ids are the host's.
    """
    uids = maps.uids if maps else _ALL
    gids = maps.gids if maps else _ALL
    return IdMaps(_exchanged(uids, owner[0], user[0]), _exchanged(gids, owner[1], user[1]))


def _exchanged(ranges: tuple[IdRange, ...], owner: int, user: int) -> tuple[IdRange, ...]:
    if owner == user:
        return ranges
    found: list[IdRange] = []
    outside: dict[int, int] = {}
    for one in ranges:
        start, end = one.inside, one.inside + one.size
        offset = one.outside - one.inside
        for number in sorted(number for number in (owner, user) if start <= number < end):
            outside[number] = number + offset
            if number > start:
                found.append(IdRange(start, start + offset, number - start))
            start = number + 1
        if start < end:
            found.append(IdRange(start, start + offset, end - start))
    for inside, other in ((owner, user), (user, owner)):
        if other in outside:
            found.append(IdRange(inside, outside[other], 1))
    return tuple(sorted(found, key=lambda one: one.inside))


def map_text(ranges: Iterable[IdRange]) -> str:
    """Return what is written to /proc/pid/uid_map or gid_map."""
    return "".join(f"{one.inside} {one.outside} {one.size}\n" for one in ranges)


def spec_mappings(ranges: Iterable[IdRange]) -> list[Json]:
    """Return `uidMappings` or `gidMappings` of the runtime spec."""
    return [{"containerID": one.inside, "hostID": one.outside, "size": one.size} for one in ranges]


def resolve_accounts(setting: str, passwd: str, group: str) -> tuple[str, str]:
    """Return the names of the user and the group that `setting` means.

    It is `default`, or a user with or without a group, each by name or number.

    Raises:
        InvalidInputError: nobody by that name or number; with Docker's words.
    """
    user, colon, group_name = setting.partition(":")
    if not user or (colon and not group_name) or ":" in group_name:
        raise InvalidInputError(f'Invalid user/group specification in --userns-remap: "{setting}"')
    if user == DEFAULT_SETTING:
        user = DEFAULT_ACCOUNT
    name = _name_of(user, passwd, "Uid", "/etc/passwd", "uid")
    # Without a group it is the one that is called, or numbered, like the user.
    return name, _name_of(group_name or user, group, "Gid", "/etc/group", "gid")


def _name_of(wanted: str, text: str, what: str, file: str, kind: str) -> str:
    is_number = wanted.isascii() and wanted.isdigit()
    for line in text.splitlines():
        fields = line.strip().split(":")
        if len(fields) > 2 and fields[2 if is_number else 0] == wanted:
            return fields[0]
    if is_number:
        raise InvalidInputError(f"{what} {wanted} has no entry in {file}")
    raise InvalidInputError(f'Error during {kind} lookup for "{wanted}": no entry in {file}')


def maps_of(
    user: str, group: str, *, uid: str = "", gid: str = "", subuid: str, subgid: str
) -> IdMaps:
    """Return the maps that /etc/subuid and /etc/subgid give to a user and a group.

    Entries may name the account by number too, which `uid` and `gid` are.

    Raises:
        InvalidInputError: there are none, or they make no sense.
    """
    return IdMaps(_ranges_of(user, uid, subuid, "subuid"), _ranges_of(group, gid, subgid, "subgid"))


def _ranges_of(name: str, number: str, text: str, what: str) -> tuple[IdRange, ...]:
    found: list[IdRange] = []
    inside = 0
    # The same entry twice, or under name and number, is one.
    owners = {name, number} - {""}
    given = dict.fromkeys((first, size) for owner, first, size in _entries(text) if owner in owners)
    for first, size in given:
        if size < 1 or first + size - 1 > _MAX_ID:
            raise InvalidInputError(f"/etc/{what}: the range {first}:{size} of {name} is none")
        if any(one.outside < first + size and first < one.outside + one.size for one in found):
            raise InvalidInputError(f"/etc/{what}: ranges of {name} overlap at {first}:{size}")
        found.append(IdRange(inside, first, size))
        inside += size
    if not found:
        raise InvalidInputError(f'no {what} ranges found for user "{name}" in /etc/{what}')
    if len(found) > _MAX_RANGES:
        raise InvalidInputError(f"/etc/{what}: {name} has more than {_MAX_RANGES} ranges")
    return tuple(found)


def next_free_id(*texts: str) -> int:
    """Return where a range can start that no account of these files has anything of."""
    ends = [first + size for text in texts for _, first, size in _entries(text)]
    return max([_FIRST_FREE, *ends])


def has_ranges(name: str, text: str) -> bool:
    """Say whether a file of subordinate ids gives any to `name`."""
    return any(owner == name for owner, _, _ in _entries(text))


def _entries(text: str) -> Iterator[tuple[str, int, int]]:
    for line in text.splitlines():
        fields = line.strip().split(":")
        if len(fields) != 3 or line.startswith("#"):
            continue
        try:
            yield fields[0], int(fields[1]), int(fields[2])
        except ValueError:
            continue
