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


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("-o user=PID", "user=PID"),
        ("-eo pid,ppid=PID", "pid,ppid=PID"),
        ("-o ppid=  PIDS,cmd", "ppid=PIDS,cmd"),
    ],
)
def test_no_other_column_takes_the_pids_title(text: str, column: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        processes.check_ps_args(text)
    assert caught.value.message == f'specifying "{column}" is not allowed'


@pytest.mark.parametrize("text", ["", "-ef", "aux", "-o pid,cmd", "-o pid=PID", "-o pid=x"])
def test_ordinary_options_pass(text: str) -> None:
    processes.check_ps_args(text)


async def test_what_ps_refuses_is_said_in_its_first_line() -> None:
    with pytest.raises(InvalidInputError, match=r"^ps: error: unknown gnu long option$"):
        await processes.top("/nosuch", "--nosuch-option")


async def test_options_that_do_not_go_with_a_choice_of_pids_work() -> None:
    found = await processes.top("/nosuch", "-ef --forest")
    assert found["Processes"] == []
