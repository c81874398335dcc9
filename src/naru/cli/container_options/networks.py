"""`--network` in its short and long form, and the options that belong to the first network.

Spec: docker/cli, opts/network.go and cli/command/container/opts.go.
"""

from __future__ import annotations

from naru.cli.container_options.addresses import check_mac
from naru.cli.container_options.go_texts import go_quote, parse_int, split_fields, why_no_int
from naru.errors import InvalidInputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from naru.cli.invocation import OptionValues

_PREDEFINED = ("default", "bridge", "host", "none")
_CONFLICT = "conflicting options: cannot specify both "
# Field of an attachment, the option that sets it too, and the words for the field.
_OWN_AND_OPTION = (
    ("aliases", "network-alias", "per-network alias"),
    ("ipv4", "ip", "per-network IPv4 address"),
    ("ipv6", "ip6", "per-network IPv6 address"),
    ("mac", "mac-address", "per-network MAC address"),
    ("link_local", "link-local-ip", "per-network link-local IP addresses"),
)


class Attachment:
    """One network that a container joins, and how."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.aliases: list[str] = []
        self.links: list[str] = []
        self.ipv4 = ""
        self.ipv6 = ""
        self.mac = ""
        self.link_local: list[str] = []
        self.driver_options: dict[str, str] = {}
        self.gateway_priority = 0

    @property
    def is_user_defined(self) -> bool:
        """Whether somebody made the network, as opposed to the engine's own kinds."""
        return self.target not in _PREDEFINED and not self.target.startswith("container:")

    def endpoint(self) -> dict[str, Any]:
        """Return the `EndpointSettings`.

        Raises:
            InvalidInputError: in Docker's words.
        """
        if not self.target.strip():
            raise InvalidInputError("no name set for network")
        if self.aliases and not self.is_user_defined:
            raise InvalidInputError(
                "network-scoped aliases are only supported for user-defined networks"
            )
        if self.mac:
            check_mac(self.mac)
        addresses: dict[str, Any] = {}
        if self.ipv4:
            addresses["IPv4Address"] = self.ipv4
        if self.ipv6:
            addresses["IPv6Address"] = self.ipv6
        if self.link_local:
            addresses["LinkLocalIPs"] = self.link_local
        return {
            "IPAMConfig": addresses or None,
            "Links": self.links or None,
            "Aliases": self.aliases or None,
            "MacAddress": self.mac,
            "DriverOpts": self.driver_options or None,
            "GwPriority": self.gateway_priority,
            **_EMPTY,
        }


# What the engine fills in; a client sends it empty.
_EMPTY = {
    "NetworkID": "",
    "EndpointID": "",
    "Gateway": "",
    "IPAddress": "",
    "IPPrefixLen": 0,
    "IPv6Gateway": "",
    "GlobalIPv6Address": "",
    "GlobalIPv6PrefixLen": 0,
    "DNSNames": None,
}


def parse_network(text: str) -> Attachment:
    """Read a network's name, or `name=…,alias=…,ip=…` and more.

    Raises:
        InvalidInputError: in Docker's words.
        ValueError: the fields cannot be told apart.
    """
    if not _is_long_form(text):
        return Attachment(text)
    attachment = Attachment("")
    for field in split_fields(text):
        key, equals, value = field.lower().partition("=")
        if not equals or not key:
            raise InvalidInputError(f"invalid field {field}")
        _set(attachment, key.strip(), value.strip())
    if not attachment.target:
        raise InvalidInputError("network name/id is not specified")
    return attachment


def _is_long_form(text: str) -> bool:
    """Say whether a word stands on both sides of an `=` somewhere."""
    return any(
        before[-1:].isascii()
        and (before[-1:].isalnum() or before[-1:] == "_")
        and after[:1].isascii()
        and (after[:1].isalnum() or after[:1] == "_")
        for before, after in (
            (text[:position], text[position + 1 :])
            for position, char in enumerate(text)
            if char == "="
        )
    )


def _set(attachment: Attachment, key: str, value: str) -> None:
    if key == "name":
        attachment.target = value
    elif key == "alias":
        attachment.aliases.append(value)
    elif key == "ip":
        attachment.ipv4 = value
    elif key == "ip6":
        attachment.ipv6 = value
    elif key == "mac-address":
        attachment.mac = value
    elif key == "link-local-ip":
        attachment.link_local.append(value)
    elif key == "driver-opt":
        name, equals, setting = value.partition("=")
        if not equals or not name:
            raise InvalidInputError("invalid key value pair format in driver options")
        attachment.driver_options[name.strip()] = setting.strip()
    elif key == "gw-priority":
        if reason := why_no_int(value):
            raise InvalidInputError(f"invalid gw-priority ({value}): {reason}")
        attachment.gateway_priority = parse_int(value)
    else:
        raise InvalidInputError(f"invalid field key {key}")


def read_networks(options: OptionValues) -> tuple[str, dict[str, dict[str, Any]]]:
    """Return the `NetworkMode` and the `EndpointsConfig`.

    `--ip`, `--network-alias` and their like go to the first network. A single network without
    anything to say about it is named by the mode alone.

    Raises:
        InvalidInputError: in Docker's words.
    """
    attachments: list[Attachment] = options["network"]
    if not attachments:
        default = Attachment("default")
        _apply_options(default, options)
        return "default", {"default": default.endpoint()}
    endpoints: dict[str, dict[str, Any]] = {}
    for position, attachment in enumerate(attachments):
        if position == 0:
            _apply_options(attachment, options)
        endpoint = attachment.endpoint()
        if attachment.target in endpoints:
            raise InvalidInputError(
                f"network {go_quote(attachment.target)} is specified multiple times"
            )
        if len(attachments) > 1 or endpoint != Attachment(attachment.target).endpoint():
            endpoints[attachment.target] = endpoint
    if len({attachment.is_user_defined for attachment in attachments}) > 1:
        raise InvalidInputError(
            "conflicting options: cannot attach both user-defined and non-user-defined "
            "network-modes"
        )
    return attachments[0].target, endpoints


def _apply_options(attachment: Attachment, options: OptionValues) -> None:
    for field, option, words in _OWN_AND_OPTION:
        given = options[option]
        if not given:
            continue
        if getattr(attachment, field):
            raise InvalidInputError(f"{_CONFLICT}--{option} and {words}")
        setattr(attachment, field, given)
    if attachment.is_user_defined:
        # On the engine's own bridge a link belongs to the container, elsewhere to its endpoint.
        attachment.links = list(options["link"])
