"""Image configs and chain ids."""

from __future__ import annotations

import hashlib
import itertools

import msgspec
import pytest

from naru.errors import CorruptDataError
from naru.oci.digest import DiffId, digest_bytes
from naru.oci.image_config import (
    History,
    RunDefaults,
    build_image_config,
    chain_ids,
    parse_image_config,
)
from naru.oci.platform import Platform

DIFF_IDS = [DiffId(digest_bytes(name)) for name in (b"1", b"2", b"3")]


def test_chain_ids_follow_the_spec() -> None:
    chain = chain_ids(DIFF_IDS)
    assert str(chain[0]) == DIFF_IDS[0]
    for (below, here), diff_id in zip(itertools.pairwise(chain), DIFF_IDS[1:], strict=True):
        assert here == "sha256:" + hashlib.sha256(f"{below} {diff_id}".encode()).hexdigest()
    assert chain_ids([]) == []


def test_a_docker_config_is_read() -> None:
    raw = msgspec.json.encode(
        {
            "architecture": "arm64",
            "variant": "v8",
            "os": "linux",
            "created": "2024-01-02T03:04:05.678Z",
            "author": "a",
            "config": {
                "Cmd": ["sh"],
                "Entrypoint": None,
                "Env": ["A=b"],
                "ExposedPorts": {"80/tcp": {}},
                "Volumes": {"/data": {}},
                "Healthcheck": {"Test": ["CMD", "x"], "Interval": 5},
                "StopTimeout": 3,
                "Something": "unknown",
            },
            "rootfs": {"type": "layers", "diff_ids": DIFF_IDS},
            "history": [{"created_by": "x", "empty_layer": True}],
        }
    )
    config = parse_image_config(raw)
    assert (config.os, config.architecture, config.variant) == ("linux", "arm64", "v8")
    assert config.config.cmd == ("sh",)
    assert config.config.entrypoint is None
    assert config.config.healthcheck is not None
    assert config.config.healthcheck.test == ("CMD", "x")
    assert config.config.stop_timeout == 3
    assert config.history == (History(created_by="x", empty_layer=True),)
    assert config.chain_id == chain_ids(DIFF_IDS)[-1]
    assert (config.digest, config.raw) == (digest_bytes(raw), raw)


def test_a_built_config_reads_back_and_is_reproducible() -> None:
    config = build_image_config(
        platform=Platform(os="linux", architecture="amd64"),
        diff_ids=DIFF_IDS,
        config=RunDefaults(cmd=("sh",), env=("A=b",)),
        created="2024-01-02T03:04:05Z",
        history=[History(comment="imported")],
    )
    assert parse_image_config(config.raw) == config
    assert config.config == RunDefaults(cmd=("sh",), env=("A=b",))
    assert b'"Cmd":["sh"]' in config.raw


def test_an_image_without_layers_has_no_chain() -> None:
    assert parse_image_config(b"{}").chain_id is None
    assert parse_image_config(b'{"rootfs":{"type":"layers","diff_ids":null}}').diff_ids == ()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b'{"rootfs":{"diff_ids":["nonsense"]}}',
        b'{"rootfs":{"diff_ids":["../../etc"]}}',
        b'{"rootfs":{"type":"tarball","diff_ids":["' + DIFF_IDS[0].encode() + b'"]}}',
        b'{"config":{"Env":"A=b"}}',
        b"{" + b" " * (16 << 20) + b"}",
    ],
)
def test_broken_configs_are_refused(raw: bytes) -> None:
    with pytest.raises(CorruptDataError, match="image config"):
        parse_image_config(raw)
