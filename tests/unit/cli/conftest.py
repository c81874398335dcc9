"""The command run in this process, against answers that a test writes down."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from naru.cli import main
from naru.client import json_text, transport


@dataclass
class Outcome:
    """What a command line left behind."""

    code: int
    out: str
    err: str


class Answer:
    """A response whose body is JSON."""

    def __init__(self, value: Any) -> None:
        self._text = json_text.dumps(value).encode()

    def read(self) -> bytes:
        return self._text


@dataclass
class RecordedEngine:
    """Answers by method and path; an exception among them is raised. Keeps what was asked."""

    api_version: str = "1.50"
    answers: dict[tuple[str, str], Any] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, Any], Any]] = field(default_factory=list)

    def on(self, method: str, path: str, value: Any) -> None:
        self.answers[method, path] = value

    def _ask(self, method: str, path: str, query: Any = None, body: Any = None) -> Any:
        if body is not None and not isinstance(body, dict):
            body = b"".join(body)
        query = {k: v for k, v in (query or {}).items() if v is not None}
        self.asked.append((method, path, query, body))
        value = self.answers[method, path]
        if isinstance(value, Exception):
            raise value
        return value

    def get(self, path: str, query: Any = None) -> Any:
        return self._ask("GET", path, query)

    def post(self, path: str, query: Any = None, body: Any = None) -> Any:
        return self._ask("POST", path, query, body)

    def delete(self, path: str, query: Any = None) -> Any:
        return self._ask("DELETE", path, query)

    def raw(self, method: str, path: str, query: Any = None) -> Answer:
        return Answer(self._ask(method, path, query))

    def release(self, response: Answer) -> None:
        assert isinstance(response, Answer)

    def stream(
        self, method: str, path: str, query: Any = None, body: Any = None, headers: Any = None
    ) -> Iterator[Any]:
        yield from self._ask(method, path, query, body)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> RecordedEngine:
    recorded = RecordedEngine()
    monkeypatch.setattr(transport, "Client", lambda *_args, **_options: recorded)
    return recorded


@pytest.fixture
def cli(tmp_path: Path) -> Callable[..., Outcome]:
    """Give a function that runs a command line."""

    def run(*words: str, stdin: bytes = b"", environ: dict[str, str] | None = None) -> Outcome:
        out, err = io.BytesIO(), io.BytesIO()
        stdout, stderr = (io.TextIOWrapper(stream, newline="") for stream in (out, err))
        source = io.TextIOWrapper(io.BytesIO(stdin))
        base = {"NARU_HOST": "unix:///nowhere.sock", "DOCKER_CONFIG": str(tmp_path)}
        code = main.run(words, {**base, **(environ or {})}, source, stdout, stderr)
        stdout.flush()
        stderr.flush()
        return Outcome(code, out.getvalue().decode(), err.getvalue().decode())

    return run
