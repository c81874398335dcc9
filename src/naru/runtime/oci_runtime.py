"""The OCI runtime, driven through its command line: crun, runc, or one that behaves alike.

Owns start, state, kill, delete, pause, resume and update of containers; making one belongs to
`conmon.create`, because conmon must be the parent. The engine never speaks to a container's
process in another way. Async, a few milliseconds each.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from naru.aio import in_thread
from naru.errors import ConflictError, FaultError, NotFoundError, ToolFailedError
from naru.faults import fault_point
from naru.linux import fs, process
from naru.runtime import refusals

_AFTER_START = fault_point("runtime.oci_runtime.after_start")
_AFTER_DELETE = fault_point("runtime.oci_runtime.after_delete")

# Far more than any of these takes on a machine that works; a hung runtime must not hang us.
_TIMEOUT_S: Final = 120.0
_EMPTY_SPEC: Final = b'{"ociVersion":"1.0.0"}'


class RuntimeState(msgspec.Struct, frozen=True):
    """What the runtime says of a container: `created`, `running`, `paused` or `stopped`.

    Spec: runtime-spec v1.0, runtime.md, State.
    """

    status: str
    pid: int = 0


@dataclass(frozen=True, slots=True)
class OciRuntime:
    """One runtime program with its own directory of states."""

    name: str
    program: str
    root: Path
    options: tuple[str, ...] = ()

    def arguments(self) -> list[str]:
        """Return the options that come before the runtime's verb."""
        return [*self.options, "--root", str(self.root)]

    async def start(self, container_id: str) -> None:
        """Let a created container run.

        Raises:
            StartFailedError: the runtime refused.
        """
        try:
            await self._run("start", container_id)
        except ToolFailedError as error:
            raise refusals.start_failed(self.name, error.stderr, refusals.NO_PROCESS) from error
        _AFTER_START()

    async def state(self, container_id: str) -> RuntimeState | None:
        """Return the container's state; None when the runtime does not know it."""
        try:
            completed = await self._run("state", container_id)
        except ToolFailedError as error:
            if refusals.is_unknown_container(error.stderr):
                return None
            raise
        try:
            return msgspec.json.decode(completed.stdout, type=RuntimeState)
        except msgspec.MsgspecError as error:
            raise FaultError(f"{self.name} state printed no state: {error}") from error

    async def kill(self, container_id: str, signum: int) -> None:
        """Send a signal to the container's first process.

        Raises:
            ConflictError: the container does not run.
            NotFoundError: the runtime does not know it.
        """
        await self._change("kill", container_id, str(int(signum)))

    async def delete(self, container_id: str, *, force: bool = False) -> None:
        """Forget a stopped container and remove its cgroup; `force` kills it first.

        Idempotent: an unknown container is deleted already. With `force` that holds for one whose
        making was cut off, too.

        Raises:
            ConflictError: the container runs and `force` is not set.
        """
        options = ["--force"] if force else []
        try:
            await self._change("delete", *options, container_id)
        except NotFoundError:
            return
        except ToolFailedError as error:
            if not force or not refusals.is_unreadable_spec(error.stderr):
                raise
            # Its process waits to be started, and would for ever; the runtime knows which it is.
            await in_thread(self._give_spec, container_id)
            await self._change("delete", *options, container_id)
        _AFTER_DELETE()

    def _give_spec(self, container_id: str) -> None:
        """Put an empty spec where crun keeps a container's, which it has to read to delete it."""
        place = self.root / container_id
        if place.is_dir():
            fs.write_atomic(place / "config.json", _EMPTY_SPEC)

    async def pause(self, container_id: str) -> None:
        """Freeze all processes.

        Raises:
            ConflictError: the container does not run.
            NotFoundError: the runtime does not know it.
        """
        await self._change("pause", container_id)

    async def resume(self, container_id: str) -> None:
        """Let frozen processes go on. Raises as `pause` does."""
        await self._change("resume", container_id)

    async def update(self, container_id: str, resources: dict[str, Any]) -> None:
        """Set limits, as the runtime spec's `resources`; what is not named stays as it is.

        Raises:
            ConflictError: the container has ended.
            NotFoundError: the runtime does not know it.
            FaultError: the kernel refused, with the runtime's words; some may be set already.
        """
        try:
            await self._change(
                "update",
                "--resources",
                "/proc/self/fd/0",
                container_id,
                stdin=msgspec.json.encode(resources),
            )
        except ToolFailedError as error:
            raise FaultError(refusals.last_words(error.stderr)) from error

    async def _change(self, *words: str, stdin: bytes = b"") -> None:
        try:
            await self._run(*words, stdin=stdin)
        except ToolFailedError as error:
            if refusals.is_unknown_container(error.stderr):
                raise NotFoundError(refusals.last_words(error.stderr)) from error
            if refusals.is_wrong_state(error.stderr):
                raise ConflictError(refusals.last_words(error.stderr)) from error
            raise

    async def _run(self, verb: str, *words: str, stdin: bytes = b"") -> process.Completed:
        argv = [self.program, *self.arguments(), verb, *words]
        return await process.run(argv, stdin=stdin, timeout=_TIMEOUT_S)


def signal_number(text: str) -> int:
    """Return the number of `9`, `KILL`, `SIGKILL` or `SIGRTMIN+3`; 0 when there is none.

    Names go by Linux and are taken in any case, as Docker takes them.
    """
    if text.isdigit():
        number = int(text)
        return number if 0 < number <= signal.SIGRTMAX else 0
    name = text.upper().removeprefix("SIG")
    base, sign, offset = name.partition("+") if "+" in name else name.partition("-")
    if base in ("RTMIN", "RTMAX") and offset.isdigit() and sign:
        start = int(signal.SIGRTMIN if base == "RTMIN" else signal.SIGRTMAX)
        number = start + int(offset) if sign == "+" else start - int(offset)
        return number if signal.SIGRTMIN <= number <= signal.SIGRTMAX else 0
    found = signal.Signals.__members__.get(f"SIG{name}")
    return int(found) if found else 0
