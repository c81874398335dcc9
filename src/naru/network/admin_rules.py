"""Rules of the administrator's, for chain `admin` of our table: read from a file of theirs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from naru.errors import InvalidInputError

# How libnftables names what it was given in memory.
_PLACE = re.compile(r"<cmdline>:(\d+):")


@dataclass(frozen=True, slots=True)
class AdminRules:
    """Lines of nft's language, and the file that they stand in."""

    path: str = ""
    text: str = ""

    def placed(self, message: str, commands: str) -> str:
        """Return what nft says of `commands` with places in the file instead of those in them."""
        if not self.text.strip():
            return message
        before = commands.partition(self.text.rstrip())[0].count("\n")
        lines = self.text.rstrip().count("\n") + 1

        def place(match: re.Match[str]) -> str:
            number = int(match[1]) - before
            return f"{self.path}:{number}:" if 0 < number <= lines else match[0]

        return _PLACE.sub(place, message)


def read_admin_rules(path: Path | None, *, required: bool) -> AdminRules:
    """Return what stands in the file; nothing, where there is none and none is required.

    Raises:
        InvalidInputError: it cannot be read.
    """
    if path is None:
        return AdminRules()
    try:
        return AdminRules(str(path), path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if required:
            raise InvalidInputError(f"firewall rules: {path}: no such file") from error
        return AdminRules(str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"firewall rules: {path}: {error}") from error
