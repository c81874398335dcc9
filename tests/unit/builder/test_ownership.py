"""`--chown` and `--chmod` in words and in numbers."""

from __future__ import annotations

import pytest

from naru.builder.ownership import parse_chmod, parse_chown
from naru.errors import InvalidInputError

_PASSWD = "root:x:0:0::/:\nbroken\napp:x:1000:1000::/:\nodd:x:y:1\n"
_GROUP = "root:x:0:\nstaff:x:50:app\napp:x:1001:\n"


@pytest.mark.parametrize(
    ("text", "owner"),
    [
        ("app:staff", (1000, 50)),
        ("app", (1000, 1001)),
        ("7", (7, 7)),
        ("7:staff", (7, 50)),
        ("app:8", (1000, 8)),
    ],
)
def test_owners_are_found_in_the_files_of_the_image(text: str, owner: tuple[int, int]) -> None:
    assert parse_chown(text, _PASSWD, _GROUP) == owner


@pytest.mark.parametrize("text", ["gone", "app:gone", "odd:0", "", "app:", "99999999999", "-1"])
def test_owners_that_are_none_are_named(text: str) -> None:
    with pytest.raises(InvalidInputError, match="unable to convert uid/gid chown string"):
        parse_chown(text, _PASSWD, _GROUP)


def test_modes_are_octal() -> None:
    assert parse_chmod("755") == 0o755
    assert parse_chmod("04711") == 0o4711
    for text in ("u+x", "888", "", "77777", "-1", "0o7"):
        with pytest.raises(InvalidInputError, match="octal"):
            parse_chmod(text)
