"""Laws of specs: any request gives JSON or a clear refusal, and never more than was asked for."""

from __future__ import annotations

from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from naru.api.container_config import ContainerConfig
from naru.api.host_config import HostConfig
from naru.errors import NaruError
from naru.oci.runtime_spec import CAPABILITIES
from naru.specgen import seccomp
from naru.specgen.facts import HostFacts
from naru.specgen.generate import SpecRequest, generate
from naru.specgen.security import DEFAULT_CAPABILITIES
from naru.specgen.validate import validate_host_config

_TEXT = st.text(max_size=12)
_CAPS = st.lists(st.sampled_from([*CAPABILITIES, "ALL", "cap_chown"]), max_size=5)
_CONFIGS = st.builds(
    ContainerConfig,
    cmd=st.lists(_TEXT, max_size=3),
    env=st.lists(_TEXT, max_size=4),
    user=_TEXT,
    working_dir=_TEXT,
    tty=st.booleans(),
    domainname=_TEXT,
)
_HOSTS = st.builds(
    HostConfig,
    cap_add=_CAPS,
    cap_drop=_CAPS,
    memory=st.integers(-10, 1 << 40),
    memory_swap=st.integers(-10, 1 << 40),
    nano_cpus=st.integers(-10, 10**11),
    cpuset_cpus=_TEXT,
    pids_limit=st.none() | st.integers(-5, 5),
    security_opt=st.lists(_TEXT, max_size=2),
    pid_mode=st.sampled_from(["", "host", "container:x", "odd"]),
    ipc_mode=st.sampled_from(["", "host", "none", "private", "shareable", "odd"]),
    network_mode=st.sampled_from(["", "host", "bridge", "container:x"]),
    tmpfs=st.dictionaries(_TEXT, _TEXT, max_size=2),
    sysctls=st.dictionaries(_TEXT, _TEXT, max_size=2),
    init=st.booleans(),
    readonly_rootfs=st.booleans(),
)
_FACTS = st.builds(
    HostFacts,
    capabilities=st.frozensets(st.sampled_from([f"CAP_{name}" for name in CAPABILITIES])),
    cgroup_version=st.sampled_from([1, 2]),
    swap_limit=st.booleans(),
    cpus=st.integers(1, 64),
    init_path=st.sampled_from(["", "/usr/bin/tini"]),
)


def _request(config: ContainerConfig, host: HostConfig) -> SpecRequest:
    return SpecRequest("x", config, host, Path("/rootfs"), "name", "/naru/x")


@given(_CONFIGS, _HOSTS, _FACTS)
def test_every_request_is_a_spec_or_a_refusal(
    config: ContainerConfig, host: HostConfig, facts: HostFacts
) -> None:
    try:
        validate_host_config(host, facts)
        spec = generate(_request(config, host), facts)
    except NaruError:
        return
    assert msgspec.json.decode(msgspec.json.encode(spec)) == spec
    held = spec["process"]["capabilities"]["bounding"]
    asked = {f"CAP_{name.upper().removeprefix('CAP_')}" for name in host.cap_add or ()}
    assert set(held) <= facts.capabilities
    if "CAP_ALL" not in asked:
        assert set(held) <= {*DEFAULT_CAPABILITIES, *asked}


@given(_HOSTS, _FACTS)
def test_checking_twice_changes_nothing_more(host: HostConfig, facts: HostFacts) -> None:
    try:
        validate_host_config(host, facts)
    except NaruError:
        return
    once = msgspec.json.encode(host)
    validate_host_config(host, facts)
    assert msgspec.json.encode(host) == once


@given(st.lists(st.sampled_from([f"CAP_{name}" for name in CAPABILITIES])))
def test_more_capabilities_never_forbid_a_call(capabilities: list[str]) -> None:
    def allowed(held: list[str]) -> set[str]:
        filter_ = seccomp.default_filter("x86_64", (6, 1), held)
        assert filter_
        rules = [r for r in filter_["syscalls"] if r["action"] == "SCMP_ACT_ALLOW"]
        return {name for rule in rules for name in rule["names"]}

    assert allowed([]) <= allowed(capabilities)
