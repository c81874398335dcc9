"""Bodies are read as Go reads them."""

from __future__ import annotations

import json

import pytest

from naru.api.create_request import CreateRequest
from naru.api.exec import ExecConfig
from naru.api.host_config import HostConfig, PortBinding
from naru.api.request_body import decode
from naru.errors import InvalidInputError


def read(**body: object) -> CreateRequest:
    return decode(json.dumps(body).encode(), CreateRequest)


def test_null_leaves_every_field_as_it_is() -> None:
    nothing = dict.fromkeys(HostConfig.__struct_encode_fields__)
    assert read(HostConfig=nothing).host_config == HostConfig()
    everything = dict.fromkeys(CreateRequest.__struct_encode_fields__)
    assert read(**everything) == CreateRequest()


def test_null_in_maps_and_lists_is_a_zero_value() -> None:
    found = read(
        Labels={"a": None},
        Volumes={"/v": None},
        Env=["A=1", None],
        HostConfig={"PortBindings": {"80/tcp": None, "81/tcp": [None, {"HostPort": "8081"}]}},
        NetworkingConfig={"EndpointsConfig": {"bridge": None}},
    )
    assert found.labels == {"a": ""}
    assert found.volumes == {"/v": {}}
    assert found.env == ["A=1", ""]
    ports = [PortBinding(), PortBinding(host_port="8081")]
    assert found.host_config.port_bindings == {"80/tcp": None, "81/tcp": ports}
    assert found.networking_config.endpoints_config == {"bridge": None}


def test_the_case_of_a_key_does_not_matter() -> None:
    found = read(image="i", CMD=["c"], hostconfig={"memory": 7, "portbindings": {}})
    assert (found.image, found.cmd, found.host_config.memory) == ("i", ["c"], 7)


def test_keys_of_maps_keep_their_case() -> None:
    assert read(Labels={"Aa": "1", "aa": "2"}).labels == {"Aa": "1", "aa": "2"}


def test_unknown_keys_are_skipped() -> None:
    assert read(Image="i", NoSuchThing={"deep": [1]}).image == "i"


@pytest.mark.parametrize("key", ["Cmd", "Entrypoint"])
def test_a_bare_string_is_one_word(key: str) -> None:
    found = read(**{key: "two words"})
    assert found.argv() == ["two words"]
    assert read(HostConfig={"CapAdd": "NET_ADMIN"}).host_config.cap_add == ["NET_ADMIN"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "invalid JSON: got EOF while reading request body"),
        (b"  \n", "invalid JSON: got EOF while reading request body"),
        (b"{} {}", "unexpected content after JSON"),
        (b"[]", "invalid JSON: Expected `object`, got `array`"),
        (b'"x"', "invalid JSON: Expected `object`, got `str`"),
        (b"{", "invalid JSON: Input data was truncated"),
        (b"[" * 100_000, "invalid JSON: exceeded max depth"),
        (b'{"Image":"\xff"}', "invalid JSON: not in UTF-8: invalid start byte"),
        (b'{"Image":1}', "invalid JSON: Expected `str`, got `int` - at `$.Image`"),
        (b'{"Tty":"yes"}', "invalid JSON: Expected `bool`, got `str` - at `$.Tty`"),
        (
            b'{"HostConfig":{"Memory":"1"}}',
            "invalid JSON: Expected `int`, got `str` - at `$.HostConfig.Memory`",
        ),
        (
            b'{"HostConfig":{"PidsLimit":99999999999999999999}}',
            "invalid JSON: number 1.000e+20 does not fit in 64 bits",
        ),
        (
            b'{"HostConfig":{"Memory":-99999999999999999999}}',
            "invalid JSON: number -1.000e+20 does not fit in 64 bits",
        ),
    ],
)
def test_what_cannot_be_right_is_named(body: bytes, message: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        decode(body, CreateRequest)
    assert caught.value.message == message


def test_null_as_the_whole_body_is_nothing() -> None:
    assert decode(b"null", ExecConfig) == ExecConfig()
