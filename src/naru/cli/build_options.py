"""Checks of single options of `build` while the command line is read; see `naru.cli.options`."""

from __future__ import annotations

from naru.cli.options import CHECKS as CONTAINER_CHECKS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def _check_tag(text: str) -> str:
    from naru.oci.reference import Reference

    Reference.parse(text)
    return text


CHECKS: dict[str, Callable[[str], object]] = {
    "build-arg": CONTAINER_CHECKS["env"],
    "tag": _check_tag,
    **{
        name: CONTAINER_CHECKS[name]
        for name in ("add-host", "label", "memory", "memory-swap", "shm-size", "ulimit")
    },
}
