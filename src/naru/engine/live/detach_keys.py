r"""The key sequence that leaves a terminal without stopping the container. Pure.

Spec: docker attach, `--detach-keys`: single characters, `DEL`, or `ctrl-` with a letter or one
of `@[\]^_`, separated by commas.
"""

from __future__ import annotations

from naru.errors import InvalidInputError

DEFAULT_KEYS = "ctrl-p,ctrl-q"
_CONTROL = {"@": 0, "[": 27, "\\": 28, "]": 29, "^": 30, "_": 31}


def parse_keys(text: str, what: str = "detach keys") -> bytes:
    """Return the bytes that the keys send; `what` is how an error calls them.

    Raises:
        InvalidInputError: a key is neither one character nor `ctrl-` and a known one.
    """
    sequence = bytearray()
    for key in text.split(","):
        if len(key) == 1 and key.isascii():
            sequence.append(ord(key))
            continue
        if key == "DEL":
            sequence.append(127)
            continue
        symbol = key.removeprefix("ctrl-")
        if symbol == key or len(symbol) != 1:
            raise InvalidInputError(f"Invalid {what} ({text}) provided")
        if "a" <= symbol <= "z":
            sequence.append(ord(symbol) - ord("a") + 1)
        elif symbol in _CONTROL:
            sequence.append(_CONTROL[symbol])
        else:
            raise InvalidInputError(f"Invalid {what} ({text}) provided")
    return bytes(sequence)


class DetachFilter:
    """Watches what is typed for the key sequence.

    Keys that might begin the sequence are held back until it is known, and passed on when it
    turns out that they did not.
    """

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._matched = 0

    def feed(self, typed: bytes) -> tuple[bytes, bool]:
        """Return what goes to the container, and whether the sequence is complete."""
        if not self._keys:
            return typed, False
        passed = bytearray()
        for byte in typed:
            if byte != self._keys[self._matched]:
                passed += self._keys[: self._matched]
                self._matched = 0
            if byte == self._keys[self._matched]:
                self._matched += 1
                if self._matched == len(self._keys):
                    return bytes(passed), True
            else:
                passed.append(byte)
        return bytes(passed), False
