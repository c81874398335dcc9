"""Users and groups by name and number, from files that may hold anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naru.errors import InvalidInputError
from naru.specgen.users import User, resolve_user

_PASSWD = """\
root:x:0:0:root:/root:/bin/sh
# a comment
bob:x:1001:1002:Bob:/home/bob:/bin/sh
broken line
1234:x:77:78::/n:
nohome:x:5:6
huge:x:99999999999:1:::
"""
_GROUP = """\
root:x:0:
bobs:x:1002:
wheel:x:10:root, bob
audio:x:29:bob
"""


@pytest.mark.parametrize(
    ("text", "user"),
    [
        ("", User(0, 0, (0, 10), "/root")),
        ("root", User(0, 0, (0, 10), "/root")),
        ("bob", User(1001, 1002, (1002, 10, 29), "/home/bob")),
        ("1001", User(1001, 1002, (1002, 10, 29), "/home/bob")),
        ("bob:wheel", User(1001, 10, (10,), "/home/bob")),
        ("bob:55", User(1001, 55, (55,), "/home/bob")),
        ("5000", User(5000, 0, (0,), "/")),
        ("5000:6000", User(5000, 6000, (6000,), "/")),
        ("1234", User(77, 78, (78,), "/n")),
        ("nohome", User(5, 6, (6,), "/")),
        (":wheel", User(0, 10, (10,), "/root")),
    ],
)
def test_users_are_found(text: str, user: User) -> None:
    assert resolve_user(text, _PASSWD, _GROUP) == user


def test_groups_are_added_without_doubles() -> None:
    user = resolve_user("bob", _PASSWD, _GROUP, ["audio", "99", "wheel"])
    assert user.groups == (1002, 10, 29, 99)


def test_without_files_numbers_do() -> None:
    assert resolve_user("", "", "") == User(0, 0, (0,), "/")
    assert resolve_user("1:2", "", "") == User(1, 2, (2,), "/")


@pytest.mark.parametrize(
    ("text", "added", "words"),
    [
        ("eve", [], "unable to find user eve: no matching entries in passwd file"),
        ("huge", [], "unable to find user huge: no matching entries in passwd file"),
        ("1:eves", [], "unable to find group eves: no matching entries in group file"),
        ("", ["eves"], "Unable to find group eves: no matching entries in group file"),
        ("99999999999", [], "uids and gids must be in range 0-2147483647"),
        ("-1", [], "uids and gids must be in range 0-2147483647"),
        ("1:2147483648", [], "uids and gids must be in range 0-2147483647"),
        ("9" * 5000, [], "uids and gids must be in range 0-2147483647"),
    ],
)
def test_nobody_is_told_in_dockers_words(text: str, added: list[str], words: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        resolve_user(text, _PASSWD, _GROUP, added)
    assert caught.value.message == words


@given(st.text(max_size=20), st.text(max_size=200), st.text(max_size=200))
def test_hostile_files_give_a_user_or_a_clear_error(text: str, passwd: str, group: str) -> None:
    try:
        user = resolve_user(text, passwd, group)
    except InvalidInputError:
        return
    assert 0 <= user.uid < 1 << 31
    assert 0 <= user.gid < 1 << 31
