"""What crun and runc say, in Docker's words."""

from __future__ import annotations

import pytest

from naru.runtime import refusals
from naru.runtime.refusals import Process

_PREFIX = (
    "failed to create task for container: failed to create shim task: OCI runtime create failed: "
)
_RUNC = 'time="2026-01-01T00:00:00Z" level=error msg="runc create failed: {}"\n'


@pytest.mark.parametrize(
    ("said", "argv", "reason", "code"),
    [
        (
            "executable file `x` not found in $PATH: No such file or directory\n",
            ("x",),
            'error during container init: exec: "x": executable file not found in $PATH',
            127,
        ),
        (
            "executable file `/x` not found in $PATH: No such file or directory\n",
            ("/x",),
            'error during container init: exec: "/x": stat /x: no such file or directory',
            127,
        ),
        (
            "executable file `/x` not found: No such file or directory\n",
            ("/x",),
            'error during container init: exec: "/x": stat /x: no such file or directory',
            127,
        ),
        (
            "the path `/etc/motd` exists but it is not executable: Operation not permitted\n",
            ("/etc/motd",),
            'error during container init: exec: "/etc/motd": permission denied',
            126,
        ),
        (
            "the path `/etc` is not a regular file: Operation not permitted\n",
            ("/etc",),
            'error during container init: exec: "/etc": is a directory',
            126,
        ),
        (
            "open executable: Permission denied\n",
            ("/etc/motd",),
            'error during container init: exec: "/etc/motd": permission denied',
            126,
        ),
        (
            "open executable: Operation not permitted\n",
            ("/etc",),
            'error during container init: exec: "/etc": is a directory',
            126,
        ),
        (
            "open executable: Operation not permitted\n",
            ("",),
            'error during container init: exec: "": executable file not found in $PATH',
            127,
        ),
        (
            "chdir `/a`: Not a directory\n",
            ("true",),
            'error during container init: chdir to cwd ("/a") set in config.json failed: not a directory',
            126,
        ),
        (
            "setrlimit `RLIMIT_NOFILE`: Operation not permitted\n",
            ("true",),
            "error during container init: setrlimit `RLIMIT_NOFILE`: Operation not permitted",
            128,
        ),
    ],
)
def test_crun_sounds_like_docker(said: str, argv: tuple[str, ...], reason: str, code: int) -> None:
    error = refusals.start_failed("crun", said, Process(argv, "/a"))
    assert error.message == (
        f"{_PREFIX}crun create failed: unable to start container process: {reason}: unknown"
    )
    assert error.exit_code == code


def test_runcs_own_message_is_unwrapped() -> None:
    said = _RUNC.format(
        'unable to start container process: exec: \\"x\\": executable file not found in $PATH'
    )
    error = refusals.start_failed("runc", said, Process(("x",)))
    assert error.message == (
        f"{_PREFIX}runc create failed: unable to start container process: "
        'exec: "x": executable file not found in $PATH: unknown'
    )
    assert error.exit_code == 127


def test_warnings_before_the_error_are_passed_over() -> None:
    said = 'time="x" level=warning msg="hm"\n' + _RUNC.format(
        "namespace path: lstat /x: no such file or directory"
    )
    assert refusals.last_words(said) == "namespace path: lstat /x: no such file or directory"


def test_exec_has_its_own_opening() -> None:
    said = "executable file `x` not found in $PATH: No such file or directory\n"
    error = refusals.exec_failed(said, Process(("x",)))
    assert error.message == (
        "OCI runtime exec failed: exec failed: unable to start container process: "
        'error during container init: exec: "x": executable file not found in $PATH: unknown'
    )


def test_silence_is_reported_as_silence() -> None:
    assert "said nothing" in refusals.start_failed("crun", "\n", Process(("x",))).message


@pytest.mark.parametrize(
    "said",
    [
        "error opening file `/run/x/status`: No such file or directory",
        "cannot open directory `/run/x`: No such file or directory",
        'time="x" level=error msg="container does not exist"',
    ],
)
def test_unknown_containers_are_recognised(said: str) -> None:
    assert refusals.is_unknown_container(said)
    assert not refusals.is_wrong_state(said)


@pytest.mark.parametrize(
    "said",
    [
        "the container `x` is not in `created` or `stopped` state",
        "kill container: No such process",
        'level=error msg="cannot delete container x that is not stopped: running"',
        'level=error msg="container not running"',
    ],
)
def test_wrong_states_are_recognised(said: str) -> None:
    assert refusals.is_wrong_state(said)
    assert not refusals.is_unknown_container(said)


def test_an_unreadable_copy_of_the_spec_is_recognised() -> None:
    said = "error loading `/run/naru/runtime/b981/config.json`"
    assert refusals.is_unreadable_spec(said)
    assert not refusals.is_unknown_container(said)
    assert not refusals.is_unreadable_spec("error loading seccomp filter into kernel")
