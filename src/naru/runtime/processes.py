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
_TITLED_PID = re.compile(r"\s+(\S*)=\s*(PID\S*)")


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
    listing = await _listing(ps_args.split(), pids)
    return select(listing, pids)


async def _listing(words: list[str], pids: list[int]) -> str:
    # Only of these processes, so that no option need ask for those of all users and terminals.
    # Some options do not go with -q; what they list is selected from.
    chosen = "-q" + ",".join(map(str, pids))
    try:
        completed = await process.run(["ps", *words, chosen], timeout=_TIMEOUT_S)
    except ToolFailedError:
        try:
            completed = await process.run(["ps", *words], timeout=_TIMEOUT_S)
        except ToolFailedError as error:
            first, _, _ = error.stderr.strip().partition("\n")
            raise InvalidInputError(f"ps: {first}") from error
    return completed.stdout.decode(errors="replace")


def check_ps_args(ps_args: str) -> None:
    """Refuse options that give another column the pid's title: rows are selected by that.

    Raises:
        InvalidInputError: they do.

    Spec: moby, validatePSArgs, for what is recognized.
    """
    for match in _TITLED_PID.finditer(f" {ps_args}"):
        if match[1] != "pid":
            raise InvalidInputError(f'specifying "{match[1]}={match[2]}" is not allowed')


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
