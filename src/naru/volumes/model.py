"""What the volumes package speaks of. Plain values, without I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ANONYMOUS_LABEL = "com.docker.volume.anonymous"


@dataclass(frozen=True, slots=True)
class Volume:
    """Named data that outlives containers; `mountpoint` is where it is on the host."""

    name: str
    driver: str
    mountpoint: Path
    created_ns: int
    options: Mapping[str, str]
    labels: Mapping[str, str]

    @property
    def is_anonymous(self) -> bool:
        """Say whether the engine chose the name."""
        return ANONYMOUS_LABEL in self.labels
