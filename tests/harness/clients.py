"""Docker's command and ours, called alike, for what must hold for both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pexpect

from harness.engine import Engine
from harness.programs import Result
from harness.waiting import eventually


@dataclass(frozen=True)
class Client:
    """One of the two commands, aimed at an engine."""

    program: str
    engine: Engine

    def __call__(self, *words: str, **options: Any) -> Result:
        """Run it; `options` are those of `Engine.docker`."""
        run = self.engine.docker if self.program == "docker" else self.engine.naru
        return run(*words, **options)

    def say(self, *words: str, **options: Any) -> str:
        """Run it, assert that it went well, and return what it printed without the last newline."""
        return self(*words, **options).ok().out.removesuffix("\n")

    def show(self, template: str, *names: str) -> str:
        """Return what `inspect` prints for a template."""
        return self.say("inspect", "-f", template, *names)

    def up(self, *words: str) -> str:
        """Run a container in the background; return its id."""
        return self.say("run", "-d", *words)

    def ready(self, *words: str) -> str:
        """Run a container in the background, wait until it says `ready`, and return its id."""
        container = self.up(*words)
        eventually(lambda: "ready" in self.say("logs", container), "it is ready")
        return container

    def terminal(self, *words: str, **options: Any) -> pexpect.spawn[str]:
        """Run it on a terminal of its own; the caller closes it."""
        return self.engine.terminal(self.program, *words, **options)

    @property
    def path(self) -> str:
        """Return what a shell calls it by."""
        return self.engine.naru_program if self.program == "naru" else self.program


def ended(screen: pexpect.spawn[str]) -> tuple[str, int | None]:
    """Wait for the end of a command on a terminal; return what it showed last and its code."""
    screen.expect(pexpect.EOF)
    shown = screen.before or ""
    screen.close()
    return shown, screen.exitstatus
