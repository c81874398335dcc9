"""`top`: the rows of a listing that belong to a container."""

from __future__ import annotations

import pytest

from naru.errors import InvalidInputError
from naru.runtime import processes

_LISTING = """\
UID          PID    PPID  C STIME TTY          TIME CMD
root           1       0  0 10:00 ?        00:00:01 init
root          12       1  0 10:01 ?        00:00:00 sleep 100 and more
root         112       1  0 10:01 ?        00:00:00 other
"""


def test_rows_are_chosen_by_pid_and_the_command_stays_whole() -> None:
    top = processes.select(_LISTING, [12, 999])
    assert top["Titles"] == ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
    assert top["Processes"] == [
        ["root", "12", "1", "0", "10:01", "?", "00:00:00", "sleep 100 and more"]
    ]


def test_a_listing_without_pids_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="Couldn't find PID field in ps output"):
        processes.select("CMD\nsh\n", [1])


@pytest.mark.parametrize("text", ["-o pid=x", "-opid=x", "-eo pid=PIDS,cmd", "--format=pid=y"])
def test_the_pid_column_keeps_its_title(text: str) -> None:
    with pytest.raises(InvalidInputError, match="is not allowed"):
        processes.check_ps_args(text)


@pytest.mark.parametrize("text", ["", "-ef", "aux", "-o pid,cmd", "-o pid=PID"])
def test_ordinary_options_pass(text: str) -> None:
    processes.check_ps_args(text)


async def test_what_ps_refuses_is_invalid_input() -> None:
    with pytest.raises(InvalidInputError, match="error running ps"):
        await processes.top("/nosuch", "--nosuch-option")
