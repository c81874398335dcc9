"""Patterns of `${name#pattern}` and the like: `*` and `?`, matched in time that is bounded.

Pure. Neither side is trusted: time grows with their product at most, whatever they are.

Spec: POSIX.1-2017, Shell Command Language §2.13; without bracket expressions, as in Docker.
"""

from __future__ import annotations

from naru.errors import InvalidInputError

_ANY, _MANY = "?", "*"
_ESCAPED = ("*", "?", "\\", "}", "/")


class ShellPattern:
    """One pattern. Of several matches the leftmost counts, and of these the longest."""

    def __init__(self, text: str) -> None:
        """Read a pattern.

        Raises:
            InvalidInputError: something is escaped that needs no escape.
        """
        # Wildcards are told from characters by being alone in their place.
        self._tokens: list[tuple[str, bool]] = []
        position = 0
        while position < len(text):
            character = text[position]
            position += 1
            if character == "\\":
                character = text[position : position + 1]
                position += 1
                if character not in _ESCAPED:
                    raise InvalidInputError(
                        f"invalid pattern ({text}) in substitution: invalid escape '\\{character}'"
                    )
                self._tokens.append((character, False))
            else:
                self._tokens.append((character, character in (_ANY, _MANY)))

    def without_prefix(self, value: str, *, longest: bool) -> str:
        """Return `value` without what the pattern fits at its beginning."""
        return value[_prefix(self._tokens, value, longest=longest) :]

    def without_suffix(self, value: str, *, longest: bool) -> str:
        """Return `value` without what the pattern fits at its end."""
        length = _prefix(self._tokens[::-1], value[::-1], longest=longest)
        return value[: len(value) - length]

    def replaced(self, value: str, replacement: str, *, everywhere: bool) -> str:
        """Return `value` with `replacement` where the pattern fits, once or everywhere."""
        pieces: list[str] = []
        position = 0
        while (found := self._search(value, position)) is not None:
            start, end = found
            pieces += [value[position:start], replacement]
            if start == end:
                # Nothing was matched: go on behind the next character.
                pieces.append(value[end : end + 1])
                end += 1
            position = end
            if not everywhere or position > len(value):
                break
        return "".join(pieces) + value[position:]

    def _search(self, value: str, begin: int) -> tuple[int, int] | None:
        """Return where the leftmost, longest match begins and ends.

        All attempts go on side by side; of two in one state the one that began first stays.
        """
        tokens = self._tokens
        states: dict[int, int] = {}
        found: tuple[int, int] | None = None
        for position in range(begin, len(value) + 1):
            if found is None:
                _enter(tokens, states, 0, position)
            start = states.get(len(tokens))
            if start is not None and (found is None or start <= found[0]):
                found = (start, position)
            if found is not None:
                states = {at: since for at, since in states.items() if since <= found[0]}
            if position == len(value) or not states:
                break
            states = _advanced(tokens, states, value[position])
        return found


def _enter(tokens: list[tuple[str, bool]], states: dict[int, int], state: int, start: int) -> None:
    """Add a state, and those that it leads to without a character."""
    while states.get(state, start + 1) > start:
        states[state] = start
        if state == len(tokens) or tokens[state] != (_MANY, True):
            return
        state += 1


def _advanced(
    tokens: list[tuple[str, bool]], states: dict[int, int], character: str
) -> dict[int, int]:
    following: dict[int, int] = {}
    for state, start in states.items():
        if state == len(tokens):
            continue
        token, is_wildcard = tokens[state]
        if is_wildcard and token == _MANY:
            _enter(tokens, following, state, start)
        elif is_wildcard or token == character:
            _enter(tokens, following, state + 1, start)
    return following


def _prefix(tokens: list[tuple[str, bool]], value: str, *, longest: bool) -> int:
    """Return the length of the beginning that the pattern fits; 0 where it fits none."""
    states: dict[int, int] = {}
    _enter(tokens, states, 0, 0)
    best = 0
    for position in range(len(value) + 1):
        if len(tokens) in states:
            best = position
            if not longest:
                break
        if position == len(value) or not states:
            break
        states = _advanced(tokens, states, value[position])
    return best
