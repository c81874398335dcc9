"""What a test needs from the machine. In CI everything is there, or the run fails."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest


def requires(*needs: str) -> pytest.MarkDecorator:
    """Skip, with a reason, where something is missing: `root`, a path, or a program's name."""
    missing = [need for need in needs if not _has(need)]
    return pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}")


def _has(need: str) -> bool:
    if need == "root":
        return os.geteuid() == 0
    if need.startswith("/"):
        return Path(need).exists()
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return shutil.which(need, path=path) is not None
