"""The processes inside a container, as the host's `ps` shows them.

Spec: Engine API 1.50, ContainerTop; the process ids are the host's.
"""

from __future__ import annotations

import re
from typing import TypedDict

from naru.aio import in_thread
from naru.errors import InvalidInputError, ToolFailedError
from naru.linux import cgroup, process

_TIMEOUT_S = 20.0
_PID_COLUMN = "PID"


class Top(TypedDict):
    """The answer of the API: column titles, and one row of texts per process."""

    Titles: list[str]
    Processes: list[list[str]]


async def top(cgroups_path: str, ps_args: str) -> Top:
    """List the processes of a container's group with the host's `ps` and the user's options.

    Raises:
        InvalidInputError: the options leave out the pid, or `ps` refuses them.
    """
    check_ps_args(ps_args)
    pids = await in_thread(cgroup.pids, cgroups_path)
    words = ps_args.split()
    try:
        completed = await process.run(["ps", *words], timeout=_TIMEOUT_S)
    except ToolFailedError as error:
        raise InvalidInputError(f"error running ps: {error.stderr}") from error
    return select(completed.stdout.decode(errors="replace"), pids)


def check_ps_args(ps_args: str) -> None:
    """Refuse options that give the pid column another name, which hides it.

    Raises:
        InvalidInputError: they do.
    """
    for match in re.finditer(r"\s*-?o\s*([^\s]+)|--format[=\s]+([^\s]+)", f" {ps_args}"):
        for column in (match[1] or match[2] or "").split(","):
            name, renamed, title = column.partition("=")
            if renamed and name == "pid" and title != _PID_COLUMN:
                raise InvalidInputError(
                    f'specifying "{column}" is not allowed', hint="leave the pid's title alone"
                )


def select(listing: str, pids: list[int]) -> Top:
    """Keep the rows of `listing` whose process is one of `pids`.

    Raises:
        InvalidInputError: there is no column of pids.
    """
    lines = listing.splitlines()
    titles = lines[0].split() if lines else []
    if _PID_COLUMN not in titles:
        raise InvalidInputError("Couldn't find PID field in ps output")
    column = titles.index(_PID_COLUMN)
    wanted = {str(pid) for pid in pids}
    rows = []
    for line in lines[1:]:
        # The last column may hold spaces.
        fields = line.split(None, len(titles) - 1)
        if len(fields) > column and fields[column] in wanted:
            rows.append(fields + [""] * (len(titles) - len(fields)))
    return Top(Titles=titles, Processes=rows)
