"""Whose ids a container's users are."""

from __future__ import annotations

import itertools

import pytest

from naru.errors import InvalidInputError
from naru.specgen.id_maps import (
    IdMaps,
    IdRange,
    exchanged,
    has_ranges,
    map_text,
    maps_of,
    next_free_id,
    resolve_accounts,
    spec_mappings,
)

_PASSWD = "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\ndockremap:x:99:99:::\n"
_GROUP = "root:x:0:\nann:x:1000:\nstaff:x:50:ann\ndockremap:x:99:\n"


@pytest.mark.parametrize(
    ("setting", "accounts"),
    [
        ("ann", ("ann", "ann")),
        ("ann:staff", ("ann", "staff")),
        ("1000", ("ann", "ann")),
        ("1000:50", ("ann", "staff")),
        ("ann:50", ("ann", "staff")),
        ("default", ("dockremap", "dockremap")),
    ],
)
def test_accounts_are_named_or_numbered(setting: str, accounts: tuple[str, str]) -> None:
    assert resolve_accounts(setting, _PASSWD, _GROUP) == accounts


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("a:b:c", 'Invalid user/group specification in --userns-remap: "a:b:c"'),
        (":staff", "Invalid user/group specification"),
        ("ann:", "Invalid user/group specification"),
        ("bob", 'Error during uid lookup for "bob"'),
        ("ann:crew", 'Error during gid lookup for "crew"'),
        ("1001", "Uid 1001 has no entry in /etc/passwd"),
        ("ann:7", "Gid 7 has no entry in /etc/group"),
    ],
)
def test_who_is_not_there_is_named(setting: str, words: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        resolve_accounts(setting, _PASSWD, _GROUP)
    assert words in caught.value.message


def test_ranges_follow_each_other_inside() -> None:
    subuid = "# people\nann:100000:10\nbob:5:5\nbroken\n1000:300000:20\n"
    maps = maps_of("ann", "staff", uid="1000", subuid=subuid, subgid="staff:700000:65536\n")
    assert maps.uids == (IdRange(0, 100000, 10), IdRange(10, 300000, 20))
    assert (maps.root_uid, maps.root_gid, maps.last_gid) == (100000, 700000, 65535)
    assert map_text(maps.uids) == "0 100000 10\n10 300000 20\n"
    assert spec_mappings(maps.gids) == [{"containerID": 0, "hostID": 700000, "size": 65536}]
    assert maps.on_host(12, 5) == (300002, 700005)
    assert maps.inside(300002, 700005) == (12, 5)
    assert maps.inside(0, 299999) == (65534, 65534)
    with pytest.raises(InvalidInputError, match="uid 30 does not exist"):
        maps.on_host(30, 5)


def test_an_entry_that_is_there_twice_is_one() -> None:
    twice = "ann:1000:10\nann:1000:10\n5:1000:10\n"
    assert maps_of("ann", "ann", uid="5", subuid=twice, subgid="ann:1:1\n").uids == (
        IdRange(0, 1000, 10),
    )
    with pytest.raises(InvalidInputError, match="ranges of ann overlap at 1009:5"):
        maps_of("ann", "ann", subuid="ann:1000:10\nann:1009:5\n", subgid="ann:1:1\n")


def test_an_account_without_ids_is_refused() -> None:
    with pytest.raises(InvalidInputError, match='no subuid ranges found for user "ann"'):
        maps_of("ann", "ann", subuid="bob:1:1\n", subgid="ann:1:1\n")
    with pytest.raises(InvalidInputError, match="the range 4294967295:2 of ann is none"):
        maps_of("ann", "ann", subuid="ann:4294967295:2\n", subgid="")


def test_new_ranges_touch_nobodys() -> None:
    assert next_free_id("", "") == 100_000
    assert next_free_id("a:100000:65536\n", "b:500000:1\n") == 500_001
    assert has_ranges("a", "a:1:2\n")
    assert not has_ranges("a", "ab:1:2\n")


def test_one_range_is_enough() -> None:
    assert IdMaps((IdRange(0, 5, 1),), (IdRange(0, 6, 1),)).on_host(0, 0) == (5, 6)


@pytest.mark.parametrize(
    "maps", [None, IdMaps((IdRange(0, 100_000, 65_536),), (IdRange(0, 7, 3),))]
)
@pytest.mark.parametrize(
    "pair", [(0, 1000), (1000, 0), (5, 6), (65_535, 0), (500, 500), (70_000, 3)]
)
def test_two_owners_change_places_and_nobody_else_does(
    maps: IdMaps | None, pair: tuple[int, int]
) -> None:
    owner, user = pair
    uids = exchanged(maps, (owner, 1), (user, 1)).uids
    offset, end = (100_000, 65_536) if maps else (0, 4_294_967_295)
    shown = {
        number: one.outside + number - one.inside
        for one in uids
        for number in {0, 1, 2, 3, 4, 5, 6, 7, 999, 1000, 1001, 65_534, 65_535, 70_000, owner, user}
        if one.inside <= number < one.inside + one.size
    }
    for number, outside in shown.items():
        other = {owner: user, user: owner}.get(number, number)
        assert outside == other + offset
    assert owner in shown
    assert (999 in shown) == (end > 999)
    assert sum(one.size for one in uids) == end
    spans = sorted((one.inside, one.inside + one.size) for one in uids)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))
