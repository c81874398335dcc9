"""Exec: what a client asks for when it runs a second process in a container.

Spec: Engine API 1.50, ContainerExec (ExecConfig) and ExecStart (ExecStartConfig).
"""

from __future__ import annotations

from naru.api.wire import Wire


class ExecConfig(Wire):
    """A process to run in a container; `console_size` is rows, columns."""

    user: str = ""
    privileged: bool = False
    tty: bool = False
    console_size: list[int] | None = None
    attach_stdin: bool = False
    attach_stderr: bool = False
    attach_stdout: bool = False
    detach_keys: str = ""
    env: list[str] | None = None
    working_dir: str = ""
    cmd: list[str] | None = None

    def console_pair(self) -> tuple[int, int] | None:
        """Return (rows, columns) if both were given."""
        if self.console_size and len(self.console_size) == 2:
            return self.console_size[0], self.console_size[1]
        return None


class ExecStartConfig(Wire):
    """How to start an exec that was created; `console_size` is rows, columns."""

    detach: bool = False
    tty: bool = False
    console_size: list[int] | None = None
