"""What runtimes say when they refuse, and what Docker says then.

The only module that knows the words of crun and runc. Pure: text in, error out.

Clients match on Docker's texts, and read exit codes out of them: 127 when the program was not
found, 126 when it was but cannot be executed, 128 for everything else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from naru.errors import StartFailedError

_RUNC_MESSAGE = re.compile(r'level=(?:error|fatal) msg="((?:[^"\\]|\\.)*)"')
_RUNC_PREFIX = re.compile(r"^(?:runc (?:create|run|start) failed: |exec failed: )")
# crun 1.8 adds where it looked; newer ones do not when the name is a path.
_CRUN_NOT_FOUND = re.compile(r"executable file `(.*)` not found")
_CRUN_NO_PROGRAM = (
    (re.compile(r"the path `(.*)` exists but it is not executable"), "permission denied"),
    (re.compile(r"the path `(.*)` is not a regular file"), "is a directory"),
)
_CRUN_TIMESTAMP = re.compile(r"^\d{4}-\d\d-\d\dT[\d:.]+Z?: ")
_UNABLE = "unable to start container process: "


@dataclass(frozen=True, slots=True)
class Process:
    """The part of a process that error texts name."""

    argv: tuple[str, ...]
    cwd: str = "/"

    @property
    def program(self) -> str:
        """The word that was to be executed."""
        return self.argv[0] if self.argv else ""


NO_PROCESS = Process(())


def start_failed(runtime: str, stderr: str, process: Process) -> StartFailedError:
    """Return the error of a container that was not started."""
    reason = _reason(stderr, process)
    return StartFailedError(
        "failed to create task for container: failed to create shim task: "
        f"OCI runtime create failed: {runtime} create failed: {reason}: unknown",
        exit_code=_exit_code(reason),
    )


def exec_failed(stderr: str, process: Process) -> StartFailedError:
    """Return the error of an exec that was not started."""
    reason = _reason(stderr, process)
    return StartFailedError(
        f"OCI runtime exec failed: exec failed: {reason}: unknown", exit_code=_exit_code(reason)
    )


def is_unknown_container(stderr: str) -> bool:
    """Say whether the runtime does not know the container."""
    words = stderr.lower()
    if "container does not exist" in words:
        return True
    # crun names the file or directory of its own that is not there.
    is_missing = "no such file or directory" in words
    return is_missing and ("/status`" in words or "cannot open directory" in words)


def is_unreadable_spec(stderr: str) -> bool:
    """Say whether crun cannot read its own copy of a container's spec.

    It writes down the process before that copy: a kill in between leaves one without the other.
    """
    return "error loading `" in stderr and "/config.json`" in stderr


def is_wrong_state(stderr: str) -> bool:
    """Say whether the container exists, but cannot do that now."""
    words = stderr.lower()
    return any(
        phrase in words
        for phrase in (
            "not running",
            "is not stopped",
            "no such process",
            "process already finished",
            "not paused",
            "is not in `created`",
            "is not in the `created` state",
            "cannot pause",
            "cannot start a container that has stopped",
            "cannot start an already running container",
            "init process has been killed",
            "is in `stopped` state",
        )
    )


def last_words(stderr: str) -> str:
    """Return the runtime's message without log decoration."""
    if found := _RUNC_MESSAGE.findall(stderr):
        message = re.sub(r"\\(.)", r"\1", found[-1])
    else:
        lines = [_CRUN_TIMESTAMP.sub("", line) for line in stderr.splitlines() if line.strip()]
        # A runtime may warn before it fails; the last line is the failure.
        message = lines[-1].strip() if lines else "the runtime said nothing"
    while match := _RUNC_PREFIX.match(message):
        message = message[match.end() :]
    return message


def _reason(stderr: str, process: Process) -> str:
    message = last_words(stderr)
    return _from_crun(message, process) or message


def _from_crun(message: str, process: Process) -> str:
    """Return runc's words for what crun says; empty when crun's own words say it best."""
    program = f'exec: "{process.program}": '
    if found := _CRUN_NOT_FOUND.search(message):
        name = found[1]
        if "/" in name:
            return f'{_UNABLE}error during container init: exec: "{name}": stat {name}: no such file or directory'
        return f'{_UNABLE}error during container init: exec: "{name}": executable file not found in $PATH'
    for pattern, what in _CRUN_NO_PROGRAM:
        if found := pattern.search(message):
            return f'{_UNABLE}error during container init: exec: "{found[1]}": {what}'
    if message.startswith("open executable: "):
        if not process.program:
            return f'{_UNABLE}error during container init: exec: "": executable file not found in $PATH'
        what = message.rsplit(": ", 1)[-1].lower()
        # crun checks for a regular file and says EPERM when it finds a directory.
        what = "is a directory" if what == "operation not permitted" else what
        return f"{_UNABLE}error during container init: {program}{what}"
    if message.startswith("chdir `"):
        what = message.rsplit(": ", 1)[-1].lower()
        return (
            f"{_UNABLE}error during container init: "
            f'chdir to cwd ("{process.cwd}") set in config.json failed: {what}'
        )
    if message.startswith(_UNABLE) or "unable to" in message:
        return ""
    return f"{_UNABLE}error during container init: {message[:1].lower()}{message[1:]}"


def _exit_code(reason: str) -> int:
    text = reason.lower()
    if "executable file not found" in text or "no such file or directory" in text:
        return 127
    if any(words in text for words in ("permission denied", "not a directory", "is a directory")):
        return 126
    return 128
