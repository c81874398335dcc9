"""Whatever is typed for a port, a mount, a volume or a network: an answer or a clear error."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from naru.cli.container_options.go_texts import split_fields
from naru.cli.container_options.mounts import parse_mount, read_volumes
from naru.cli.container_options.networks import parse_network
from naru.cli.container_options.ports import read_exposed, read_published
from naru.errors import InvalidInputError

_PORT = st.integers(0, 65535)
_ADDRESS = st.ip_addresses().map(str)
_TYPED = st.text(alphabet='0129abtx:/-[]=,".% \n', max_size=20) | st.text(max_size=20)


def answers(parse: Callable[[str], object], text: str) -> None:
    problem = None
    try:
        parse(text)
    except (InvalidInputError, ValueError) as error:
        problem = str(error)
    assert problem != ""


@given(_TYPED)
def test_anything_typed_gets_an_answer(text: str) -> None:
    answers(lambda spec: read_published([spec]), text)
    answers(lambda spec: read_exposed([spec]), text)
    answers(lambda spec: read_volumes([spec]), text)
    answers(parse_mount, text)
    answers(parse_network, text)


@given(_ADDRESS, _PORT, _PORT, st.sampled_from(["tcp", "udp", "sctp"]))
def test_a_published_port_is_what_was_written(
    address: str, host: int, inside: int, protocol: str
) -> None:
    for shown in {address, f"[{address}]"} if ":" in address else {address}:
        found = read_published([f"{shown}:{host}:{inside}/{protocol}"])
        assert found == {f"{inside}/{protocol}": [{"HostIp": address, "HostPort": str(host)}]}


@given(_PORT, _PORT, st.integers(0, 30))
def test_ranges_pair_up(host: int, inside: int, length: int) -> None:
    host, inside = min(host, 65535 - length), min(inside, 65535 - length)
    found = read_published([f"{host}-{host + length}:{inside}-{inside + length}"])
    pairs = {port: bindings[0]["HostPort"] for port, bindings in found.items()}
    assert pairs == {f"{inside + n}/tcp": str(host + n) for n in range(length + 1)}


@given(st.lists(st.text(st.characters(exclude_characters="\n\r")), min_size=1))
def test_quoted_fields_come_back(fields: list[str]) -> None:
    line = ",".join('"' + field.replace('"', '""') + '"' for field in fields)
    assert split_fields(line) == fields


@given(st.text(st.characters(exclude_characters="\n\r")), st.text(min_size=1))
def test_a_mount_keeps_its_paths(source: str, target: str) -> None:
    target = target.replace("\n", "x").replace("\r", "x")
    quoted = [
        f'"{key}={value}"'
        for key, value in (("src", source.replace('"', '""')), ("dst", target.replace('"', '""')))
    ]
    mount = parse_mount(f"type=volume,{','.join(quoted)}")
    assert mount["Target"] == target
    if not source.startswith("."):
        assert mount.get("Source", "") == source
