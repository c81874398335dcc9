"""The keys that leave a container running: their names, and finding them in what is typed.

Spec: moby/term, ascii.go and proxy.go.
"""

from __future__ import annotations

from naru.errors import InvalidInputError

DEFAULT = "ctrl-p,ctrl-q"
_CONTROL = {f"ctrl-{char}": code for code, char in enumerate("@abcdefghijklmnopqrstuvwxyz[\\]^_")}


def parse(text: str) -> bytes:
    r"""Read keys divided by commas: single characters, or `ctrl-` and one of `a-z@[\]^_`.

    Raises:
        InvalidInputError: a key has no such name.
    """
    keys = bytearray()
    for name in text.split(","):
        if len(name) == 1 and name.isascii():
            keys.append(ord(name))
        elif (code := _CONTROL.get(name)) is not None:
            keys.append(code)
        elif name in ("ctrl-,", "DEL"):
            keys.append(127)
        else:
            raise InvalidInputError(f"invalid detach keys ({text}) provided")
    return bytes(keys)


class KeyWatch:
    """Finds the keys in input, however it is cut into pieces.

    The beginning of a possible match is held back until the next key decides; this is why the
    first key of the sequence must be typed twice to reach the process.
    """

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._matched = 0

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """Return what to send on, and whether the keys were complete: nothing after them counts."""
        if not self._keys:
            return data, False
        sent = bytearray()
        for byte in data:
            while self._matched and byte != self._keys[self._matched]:
                sent += self._fall_back()
            if byte == self._keys[self._matched]:
                self._matched += 1
                if self._matched == len(self._keys):
                    self._matched = 0
                    return bytes(sent), True
            else:
                sent.append(byte)
        return bytes(sent), False

    def rest(self) -> bytes:
        """Return what is held back, at the end of the input."""
        held, self._matched = self._keys[: self._matched], 0
        return held

    def _fall_back(self) -> bytes:
        """Give up the longest match; keep what may still begin a shorter one."""
        held = self._keys[: self._matched]
        for length in range(self._matched - 1, -1, -1):
            if self._keys.startswith(held[self._matched - length :]):
                break
        given_up, self._matched = held[: self._matched - length], length
        return given_up
