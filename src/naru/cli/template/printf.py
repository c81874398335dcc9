"""`printf` with Go's verbs."""

from __future__ import annotations

from naru.cli.template.values import GoStruct, print_value, type_name
from naru.cli.value_types import go_quote


def format_values(form: str, *values: object) -> str:
    """Format as Go's Sprintf, `%!d(string=x)` for what does not fit included."""
    out, used, at = [], 0, 0
    while at < len(form):
        char = form[at]
        at += 1
        if char != "%":
            out.append(char)
            continue
        start = at
        while at < len(form) and form[at] in "+-# 0":
            at += 1
        flags, start = form[start:at], at
        while at < len(form) and form[at].isdigit():
            at += 1
        width, precision = form[start:at], ""
        if form[at : at + 1] == ".":
            start = at = at + 1
            while at < len(form) and form[at].isdigit():
                at += 1
            precision = form[start:at] or "0"
        if at >= len(form):
            out.append("%!(NOVERB)")
            break
        verb = form[at]
        at += 1
        if verb == "%":
            out.append("%")
        elif used >= len(values):
            out.append(f"%!{verb}(MISSING)")
        else:
            out.append(_pad(_one(verb, flags, precision, values[used]), flags, width))
            used += 1
    if used < len(values):
        extra = ", ".join(f"{type_name(v)}={print_value(v)}" for v in values[used:])
        out.append(f"%!(EXTRA {extra})")
    return "".join(out)


def _pad(text: str, flags: str, width: str) -> str:
    room = int(width or 0) - len(text)
    if room <= 0:
        return text
    if "-" in flags:
        return text + " " * room
    if "0" in flags:
        sign = text[0] if text[:1] in ("+", "-") else ""
        return sign + "0" * room + text[len(sign) :]
    return " " * room + text


def _one(verb: str, flags: str, precision: str, value: object) -> str:
    if verb == "T":
        return type_name(value)
    if verb == "v":
        if isinstance(value, GoStruct) and "+" in flags:
            return "{" + " ".join(f"{k}:{print_value(v)}" for k, v in value.items()) + "}"
        return go_quote(value) if "#" in flags and isinstance(value, str) else print_value(value)
    text = None
    if isinstance(value, bool):
        text = print_value(value) if verb == "t" else None
    elif isinstance(value, str):
        text = _string(verb, precision, value)
    elif isinstance(value, int):
        text = _integer(verb, flags, value)
    elif isinstance(value, float):
        if verb in "eEfFgG":
            text = format(value, f".{precision or (6 if verb in 'eEfF' else 17)}{verb}")
    elif isinstance(value, list | dict) and verb in "sdqx":
        if isinstance(value, list):
            return f"[{' '.join(_one(verb, flags, precision, item) for item in value)}]"
        text = print_value(value)
    if text is None:
        return f"%!{verb}({type_name(value)}={print_value(value)})"
    return text


def _string(verb: str, precision: str, value: str) -> str | None:
    if precision:
        value = value[: int(precision)]
    if verb == "s":
        return value
    if verb == "q":
        return go_quote(value)
    if verb in "xX":
        digits = value.encode().hex()
        return digits.upper() if verb == "X" else digits
    return None


def _integer(verb: str, flags: str, value: int) -> str | None:
    if verb == "c":
        return chr(value)
    if verb == "q":
        return repr(chr(value))
    forms = {"d": "d", "x": "x", "X": "X", "o": "o", "b": "b"}
    if verb not in forms:
        return None
    sign = "+" if "+" in flags else ""
    return format(value, f"{sign}{'#' if '#' in flags and verb in 'xXo' else ''}{forms[verb]}")
