"""What the volumes package speaks of. Plain values, without I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from naru.volumes.mount_options import is_plain

LOCAL = "local"
ANONYMOUS_LABEL = "com.docker.volume.anonymous"


def is_own(driver: str, options: Mapping[str, str]) -> bool:
    """Say whether the content of such a volume is a directory of this engine, and no mount."""
    return driver == LOCAL and is_plain(options)


@dataclass(frozen=True, slots=True)
class Volume:
    """Named data that outlives containers.

    `mountpoint` is where it is on the host, if it is anywhere, and was asked for; `status` is what
    a plugin says of it.
    """

    name: str
    driver: str
    mountpoint: Path | None
    created_ns: int
    options: Mapping[str, str]
    labels: Mapping[str, str]
    scope: str = "local"
    status: Mapping[str, Any] | None = None

    @property
    def is_anonymous(self) -> bool:
        """Say whether the engine chose the name."""
        return ANONYMOUS_LABEL in self.labels

    @property
    def is_plain(self) -> bool:
        """Say whether the content is a directory of this engine, and nobody else's."""
        return is_own(self.driver, self.options)
