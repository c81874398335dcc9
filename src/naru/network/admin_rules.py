"""Rules of the administrator's, for chain `admin` of our table: read from a file of theirs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from naru.errors import InvalidInputError


@dataclass(frozen=True, slots=True)
class AdminRules:
    """Lines of nft's language, and the file that they stand in."""

    path: str = ""
    text: str = ""

    @property
    def is_empty(self) -> bool:
        """Say whether there are none."""
        return not self.text.strip()

    @contextlib.contextmanager
    def included(self) -> Iterator[str]:
        """Give the name of a file that has this text, whatever the administrator does to theirs.

        nft tells the place of a mistake in files alone.
        """
        number = os.memfd_create("firewall-rules")
        try:
            with open(number, "w", encoding="utf-8", closefd=False) as file:
                file.write(f"{self.text.rstrip()}\n")
            yield f"/proc/self/fd/{number}"
        finally:
            os.close(number)


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
