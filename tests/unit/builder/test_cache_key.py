"""The key of a step changes exactly when something that decides the step does."""

from __future__ import annotations

import msgspec
import pytest

from naru.builder.cache_key import cache_key
from naru.oci.image_config import HealthCheck, RunDefaults
from naru.oci.platform import Platform

_PLATFORM = Platform(os="linux", architecture="amd64")
_CONFIG = RunDefaults(
    cmd=("/bin/sh", "-c", "#(nop) ", "ENV a=1"), env=("A=1", "B=2"), labels={"x": "1", "y": "2"}
)


def test_the_same_step_has_the_same_key() -> None:
    other = msgspec.structs.replace(
        _CONFIG, labels={"y": "2", "x": "1"}, hostname="abc", image="sha256:1"
    )
    assert cache_key("p", _CONFIG, _PLATFORM) == cache_key("p", other, _PLATFORM)


@pytest.mark.parametrize(
    "change",
    [
        {"cmd": ("/bin/sh", "-c", "#(nop) ", "ENV a=2")},
        {"cmd": ("/bin/sh", "-c", "#(nop) ENV a=1")},
        {"env": ("B=2", "A=1")},
        {"labels": {"x": "1"}},
        {"user": "1"},
        {"working_dir": "/w"},
        {"entrypoint": ("x",)},
        {"volumes": {"/v": {}}},
        {"healthcheck": HealthCheck(test=("NONE",))},
        {"shell": ("x",)},
        {"on_build": ("RUN x",)},
    ],
    ids="".join,
)
def test_another_config_has_another_key(change: dict[str, object]) -> None:
    other = msgspec.structs.replace(_CONFIG, **change)
    assert cache_key("p", _CONFIG, _PLATFORM) != cache_key("p", other, _PLATFORM)


def test_everything_else_counts_too() -> None:
    keys = {
        cache_key("p", _CONFIG, _PLATFORM),
        cache_key("q", _CONFIG, _PLATFORM),
        cache_key("", _CONFIG, _PLATFORM),
        cache_key("p", _CONFIG, Platform(os="linux", architecture="arm64")),
        cache_key("p", _CONFIG, _PLATFORM, author="me"),
        cache_key("p", _CONFIG, _PLATFORM, inputs=["a"]),
        cache_key("p", _CONFIG, _PLATFORM, inputs=["a", "b"]),
        cache_key("p", _CONFIG, _PLATFORM, inputs=["a b"]),
    }
    assert len(keys) == 8
