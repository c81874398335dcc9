"""What a container has beyond its image, and what its image gives, are together what it has."""

from __future__ import annotations

import msgspec
from hypothesis import assume, example, given, reject
from hypothesis import strategies as st

from naru.api.container_config import ContainerConfig, HealthConfig
from naru.engine.containers.merge import merge_config, own_part
from naru.errors import InvalidInputError

_WORDS = st.sampled_from(["", "a", "b"])
_KEYS = st.sampled_from(["x", "y"])
_ARGV = st.none() | st.lists(_WORDS, max_size=2)
_MAPS = st.none() | st.dictionaries(_KEYS, _WORDS, max_size=2)
_NOTHING: dict[str, str] = {}
_SETS = st.none() | st.dictionaries(_KEYS, st.just(_NOTHING), max_size=2)
_CONFIGS = st.builds(
    ContainerConfig,
    user=_WORDS,
    working_dir=_WORDS,
    stop_signal=_WORDS,
    env=st.none() | _MAPS.map(lambda found: [f"{k}={v}" for k, v in (found or {}).items()]),
    labels=_MAPS,
    exposed_ports=_SETS,
    volumes=_SETS,
    cmd=_ARGV,
    entrypoint=_ARGV,
    shell=_ARGV,
    healthcheck=st.none() | st.builds(HealthConfig, interval=st.integers(0, 2)),
)


def _comparable(config: ContainerConfig) -> ContainerConfig:
    """Return a config whose variables have no order, and in which no list is an empty one."""
    return msgspec.structs.replace(
        config,
        env=sorted(config.env or ()) or None,
        shell=config.shell or None,
        cmd=config.cmd or None,
        entrypoint=config.entrypoint or None,
    )


@given(_CONFIGS, _CONFIGS)
@example(
    ContainerConfig(entrypoint=[""], cmd=["sh"]), ContainerConfig(entrypoint=["web"], cmd=["-v"])
)
def test_own_part_and_image_make_the_whole_again(
    asked: ContainerConfig, image: ContainerConfig
) -> None:
    try:
        whole = merge_config(asked, image)
    except InvalidInputError:
        reject()
    again = merge_config(own_part(whole, image), image)
    assert _comparable(again) == _comparable(whole)


@given(_CONFIGS)
def test_a_container_with_nothing_of_its_own_has_no_own_part(image: ContainerConfig) -> None:
    assume(image.entrypoint or image.cmd)
    assume(image.entrypoint != [""])
    own = own_part(merge_config(ContainerConfig(), image), image)
    assert msgspec.structs.replace(own, labels=None, args_escaped=False) == ContainerConfig()
