"""`port`: where a container's ports are published.

Spec: docker/cli, container/port.go.
"""

from __future__ import annotations

from naru.cli.commands.volumes import natural_key
from naru.cli.failure import CommandFailedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from naru.cli.invocation import Invocation

_LARGEST = 0xFFFF


def port(invocation: Invocation) -> int:
    """Print all published ports of a container, or where one of them is."""
    from naru.client.transport import quote

    name, *wanted = invocation.args
    view = invocation.client.get(f"/containers/{quote(name)}/json")
    ports: dict[str, list[dict[str, Any]] | None] = view["NetworkSettings"]["Ports"] or {}
    if wanted:
        bindings = ports.get(_key(wanted[0]))
        if not bindings:
            raise CommandFailedError(f"Error: No public port '{wanted[0]}' published for {name}")
        lines = [_address(binding) for binding in bindings]
    else:
        lines = [
            f"{private} -> {_address(binding)}"
            for private, bindings in ports.items()
            for binding in bindings or ()
        ]
    for line in sorted(lines, key=natural_key):
        invocation.print(line)
    return 0


def _key(text: str) -> str:
    number, _, protocol = text.partition("/")
    if not (number.isascii() and number.isdigit()):
        raise CommandFailedError(
            f'Error: invalid port ({number}): strconv.ParseUint: parsing "{number}": invalid syntax'
        )
    if int(number) > _LARGEST:
        raise CommandFailedError(
            f'Error: invalid port ({number}): strconv.ParseUint: parsing "{number}": '
            "value out of range"
        )
    return f"{number}/{protocol or 'tcp'}"


def _address(binding: dict[str, Any]) -> str:
    host = binding["HostIp"]
    shown = f"[{host}]" if ":" in host else host
    return f"{shown}:{binding['HostPort']}"
