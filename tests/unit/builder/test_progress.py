"""What is told of a build: whole characters, red complaints, steps by number."""

from __future__ import annotations

from typing import Any

from naru.builder.progress import Progress


def test_a_character_in_pieces_is_told_whole() -> None:
    told: list[dict[str, Any]] = []
    progress = Progress(told.append)
    data = "né€".encode()
    for byte in data:
        progress.output(1, bytes([byte]))
    progress.output(2, data[:2])
    progress.end_output()
    texts = [record["stream"] for record in told]
    assert texts == ["n", "é", "€", "\x1b[91mn\x1b[0m", "\x1b[91m\ufffd\x1b[0m"]


def test_steps_are_numbered() -> None:
    told: list[dict[str, Any]] = []
    progress = Progress(told.append, step_count=2)
    progress.step("FROM a")
    progress.image("sha256:" + "a" * 64)
    progress.step("RUN b")
    progress.image("")
    text = "".join(record["stream"] for record in told)
    assert text == "Step 1/2 : FROM a\n ---> aaaaaaaaaaaa\nStep 2/2 : RUN b\n ---> \n"
