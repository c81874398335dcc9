"""`--chown` and `--chmod`: from words to numbers, by the files of the image. Pure.

Spec: moby, builder/dockerfile/internals_linux.go, for the rules and texts.
"""

from __future__ import annotations

import re

from naru.errors import InvalidInputError

_MAX_ID = (1 << 31) - 1


def parse_chown(text: str, passwd: str, group: str) -> tuple[int, int]:
    """Return the user and the group that `user[:group]` means.

    The group is the user's name again if there is none, as Docker has it.

    Raises:
        InvalidInputError: there is no such user or group.
    """
    user_name, has_group, group_name = text.partition(":")
    if not has_group:
        group_name = user_name
    return (
        _number(user_name, passwd, "uid", "user"),
        _number(group_name, group, "gid", "group"),
    )


def _number(name: str, entries: str, what: str, kind: str) -> int:
    if name.isascii() and name.isdigit():
        if int(name) <= _MAX_ID:
            return int(name)
    else:
        for line in entries.splitlines():
            fields = line.split(":")
            if (
                len(fields) > 2
                and fields[0] == name
                and fields[2].isascii()
                and fields[2].isdigit()
            ):
                return int(fields[2])
    raise InvalidInputError(
        "unable to convert uid/gid chown string to host mapping: "
        f"can't find {what} for {kind} {name}: no such {kind}: {name}"
    )


def parse_chmod(text: str) -> int:
    """Return the mode that an octal number means.

    Raises:
        InvalidInputError: it is none.
    """
    if not re.fullmatch(r"0?[0-7]{1,4}", text):
        raise InvalidInputError(
            f"invalid chmod parameter: '{text}'. it should be octal string and between 0 and 07777"
        )
    return int(text, 8)
