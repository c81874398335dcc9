"""The directories with CDI specifications, read anew whenever somebody asks for a device.

Files in JSON are read. The format allows YAML, too; such files are reported and passed over.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from naru.errors import InvalidInputError, NaruError, NotSupportedError
from naru.specgen.cdi import Registry, Specification, parse_specification

_log = logging.getLogger(__name__)
_MAX_BYTES: Final = 4 << 20
_YAML: Final = frozenset({".yaml", ".yml"})


def read_registry(directories: Iterable[str]) -> tuple[Registry, list[str]]:
    """Return the devices of all specifications, and what is wrong with files. Blocking.

    A file that is wrong does not keep the others from being used.
    """
    found: list[list[Specification]] = []
    complaints: list[str] = []
    for directory in directories:
        here: list[Specification] = []
        for path in _files(Path(directory)):
            try:
                here.append(parse_specification(_content(path)))
            except NaruError as error:
                complaints.append(f"{path}: {error.message}")
            except OSError as error:
                complaints.append(f"{path}: {error.strerror}")
        found.append(here)
    for complaint in complaints:
        _log.warning("CDI specification %s", complaint)
    return Registry(found), complaints


def _files(directory: Path) -> list[Path]:
    try:
        entries = sorted(directory.iterdir())
    except OSError:
        return []
    return [path for path in entries if path.suffix in (".json", *_YAML)]


def _content(path: Path) -> bytes:
    if path.suffix in _YAML:
        raise NotSupportedError("is YAML, which is not read; write it as JSON")
    with path.open("rb") as file:
        data = file.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise InvalidInputError(f"is larger than {_MAX_BYTES} bytes")
    return data
