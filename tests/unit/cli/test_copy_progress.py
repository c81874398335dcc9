"""What `cp` tells while it copies."""

from __future__ import annotations

import io

from naru.cli.copy_progress import CopyProgress


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_size_is_told_in_the_end() -> None:
    out = io.StringIO()
    with CopyProgress(out, "Copying - ", is_quiet=False) as progress:
        assert list(progress.counted([b"x" * 2000, b"y" * 48])) == [b"x" * 2000, b"y" * 48]
        progress.done("/to")
    assert out.getvalue() == "Successfully copied 2.05kB to /to\n"


def test_a_terminal_sees_it_grow_and_is_left_clean() -> None:
    out = _Terminal()
    with CopyProgress(out, "Copying - ", is_quiet=False) as progress:
        progress.add(1500)
        progress.done("/to")
    text = out.getvalue()
    assert "\x1b[11G\x1b[0K1.5kB" in text
    assert text.endswith("\x1b[?25h\x1b[u\x1b[2KSuccessfully copied 1.5kB to /to\n")


def test_a_failure_leaves_the_terminal_clean_too() -> None:
    out = _Terminal()
    with CopyProgress(out, "Copying - ", is_quiet=False):
        pass
    assert out.getvalue().endswith("\x1b[?25h\x1b[u\x1b[2K")


def test_quiet_says_nothing() -> None:
    out = _Terminal()
    with CopyProgress(out, "Copying - ", is_quiet=True) as progress:
        progress.add(10)
        progress.done("/to")
    assert out.getvalue() == ""


def test_pieces_are_read_in_any_sizes() -> None:
    progress = CopyProgress(io.StringIO(), "", is_quiet=True)
    reader = progress.reader([b"abc", b"defg"])
    assert [reader.read(size) for size in (2, 10, 1, 10, 10)] == [b"ab", b"c", b"d", b"efg", b""]
