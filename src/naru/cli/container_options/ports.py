"""`--publish` and `--expose`.

Spec: docker/go-connections, nat.ParsePortSpec; docker/cli, cli/command/container/opts.go.
"""

from __future__ import annotations

from naru.cli.container_options.addresses import canonical_ip
from naru.cli.container_options.go_texts import parse_uint, split_fields
from naru.errors import InvalidInputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    PortBindings = dict[str, list[dict[str, str]]]

_PROTOCOLS = ("tcp", "udp", "sctp")


def read_published(specs: Iterable[str]) -> PortBindings:
    """Return `PortBindings` of `[address:][host port[-port]:]port[-port][/protocol]` texts.

    The long form `published=8080,target=80,protocol=tcp` is taken as well.

    Raises:
        InvalidInputError: in Docker's words.
    """
    bindings: PortBindings = {}
    for spec in specs:
        short = _from_long_form(spec) if "=" in spec else spec
        for port, binding in _read_spec(short):
            bindings.setdefault(port, []).append(binding)
    return bindings


def read_exposed(specs: Iterable[str]) -> list[str]:
    """Return `port/protocol` texts of `port[-port][/protocol]` ones.

    Raises:
        InvalidInputError: in Docker's words.
    """
    ports: list[str] = []
    for spec in specs:
        if ":" in spec:
            raise InvalidInputError(f"invalid port format for --expose: {spec}")
        protocol, port_range = _split_protocol(spec)
        try:
            first, last = parse_range(port_range)
        except ValueError as error:
            raise InvalidInputError(
                f"invalid range format for --expose: {spec}, error: {error}"
            ) from error
        ports += [f"{port}/{protocol}" for port in range(first, last + 1)]
    return ports


def parse_range(text: str) -> tuple[int, int]:
    """Read `80` or `80-90`.

    Raises:
        ValueError: in the words of docker/go-connections.
    """
    if not text:
        raise ValueError("empty string specified for ports")
    parts = text.split("-")
    first = parse_uint(parts[0], 16)
    last = parse_uint(parts[1], 16) if len(parts) > 1 else first
    if last < first:
        raise ValueError(f"invalid range specified for port: {text}")
    return first, last


def _from_long_form(spec: str) -> str:
    params = {"published": "", "target": "", "protocol": "tcp"}
    try:
        fields = split_fields(spec)
    except ValueError as error:
        raise InvalidInputError(str(error)) from error
    for field in fields:
        key, equals, value = field.partition("=")
        if not equals or not key:
            raise InvalidInputError(
                f"invalid publish opts format (should be name=value but got '{field}')"
            )
        params[key] = value
    return f"{params['published']}:{params['target']}/{params['protocol']}"


def _read_spec(spec: str) -> list[tuple[str, dict[str, str]]]:
    address, host_range, container_range = _split_spec(spec)
    protocol, container_range = _split_protocol(container_range)
    address = _check_address(address)
    if not container_range:
        raise InvalidInputError(f"no port specified: {spec}<empty>")
    first, last = _range_or_error(container_range, "containerPort")
    host_first, host_last = _range_or_error(host_range, "hostPort") if host_range else (first, last)
    if protocol.lower() not in _PROTOCOLS:
        raise InvalidInputError(f"invalid proto: {protocol.lower()}")
    if last - first != host_last - host_first and last != first:
        raise InvalidInputError(
            "invalid ranges specified for container and host Ports: "
            f"{container_range} and {host_range}"
        )
    bindings: list[tuple[str, dict[str, str]]] = []
    for port in range(first, last + 1):
        host_port = str(host_first + port - first) if host_range else ""
        if first == last and host_first != host_last:
            # One port inside, many to choose from outside: the engine takes a free one.
            host_port = f"{host_first}-{host_last}"
        bindings.append((f"{port}/{protocol.lower()}", {"HostIp": address, "HostPort": host_port}))
    return bindings


def _split_spec(spec: str) -> tuple[str, str, str]:
    head, _, container = spec.rpartition(":")
    address, _, host = head.rpartition(":")
    return address, host, container


def _split_protocol(text: str) -> tuple[str, str]:
    port, slash, rest = text.partition("/")
    if not port:
        return "", ""
    return (rest.partition("/")[0] if slash else "") or "tcp", port


def _check_address(text: str) -> str:
    if text.startswith("["):
        address, bracket, _ = text[1:].partition("]")
        if not bracket:
            raise InvalidInputError(
                f"invalid IP address {text}: address {text}:: missing ']' in address"
            )
    else:
        address = text
    if address and canonical_ip(address) is None:
        raise InvalidInputError(f"invalid IP address: {address}")
    return address


def _range_or_error(text: str, name: str) -> tuple[int, int]:
    try:
        return parse_range(text)
    except ValueError as error:
        raise InvalidInputError(f"invalid {name}: {text}") from error
