"""Programs that tests run to their end, and what they leave behind."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """What a program left behind."""

    argv: list[str]
    code: int
    out: str
    err: str

    def ok(self) -> Result:
        """Assert that it went well."""
        assert self.code == 0, f"{self}"
        return self

    def lines(self) -> list[str]:
        """Return the lines of its output."""
        return self.out.splitlines()

    def __str__(self) -> str:
        words = " ".join(self.argv)
        return f"{words}\nexit {self.code}\n--- out\n{self.out}\n--- err\n{self.err}"


def run(
    argv: Sequence[str],
    *,
    stdin: str | bytes = b"",
    env: Mapping[str, str] | None = None,
    timeout_s: float = 60,
) -> Result:
    """Run a program to its end; bytes that are no UTF-8 come out as replacement characters.

    `env` is all of its environment; None means ours.

    Raises:
        subprocess.TimeoutExpired: it was killed after `timeout_s`.
    """
    done = subprocess.run(
        argv,
        input=stdin.encode() if isinstance(stdin, str) else stdin,
        capture_output=True,
        env=env,
        timeout=timeout_s,
        check=False,
    )
    out, err = (data.decode(errors="replace") for data in (done.stdout, done.stderr))
    return Result(list(argv), done.returncode, out, err)
