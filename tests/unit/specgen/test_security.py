"""Capabilities and security options."""

from __future__ import annotations

import pytest

from naru.api.host_config import HostConfig
from naru.errors import InvalidInputError, NotSupportedError
from naru.specgen.facts import ALL_CAPABILITIES, HostFacts
from naru.specgen.security import (
    DEFAULT_CAPABILITIES,
    capabilities_of,
    capability_sets,
    hidden_paths,
    parse_security_options,
    process_security,
    seccomp_filter,
)

_POOR = HostFacts(capabilities=ALL_CAPABILITIES - {"CAP_SYS_RESOURCE", "CAP_MKNOD"})


@pytest.mark.parametrize(
    ("host", "count", "has", "lacks"),
    [
        (HostConfig(), 14, "CAP_CHOWN", "CAP_SYS_ADMIN"),
        (HostConfig(cap_add=["net_admin"]), 15, "CAP_NET_ADMIN", "CAP_SYS_ADMIN"),
        (HostConfig(cap_drop=["CAP_CHOWN"]), 13, "CAP_KILL", "CAP_CHOWN"),
        (HostConfig(cap_drop=["ALL"], cap_add=["KILL"]), 1, "CAP_KILL", "CAP_CHOWN"),
        (HostConfig(cap_add=["ALL"], cap_drop=["SYS_ADMIN"]), 40, "CAP_BPF", "CAP_SYS_ADMIN"),
        (HostConfig(privileged=True, cap_drop=["ALL"]), 41, "CAP_SYS_ADMIN", "CAP_NONE"),
    ],
)
def test_capabilities_are_added_and_dropped(
    host: HostConfig, count: int, has: str, lacks: str
) -> None:
    found = capabilities_of(host, HostFacts())
    assert len(found) == count
    assert has in found
    assert lacks not in found


def test_only_what_the_engine_holds_is_handed_on() -> None:
    assert len(capabilities_of(HostConfig(privileged=True), _POOR)) == 39
    assert len(capabilities_of(HostConfig(cap_add=["ALL"]), _POOR)) == 39
    assert len(capabilities_of(HostConfig(), _POOR)) == len(DEFAULT_CAPABILITIES) - 1
    with pytest.raises(InvalidInputError, match="not available in the current environment"):
        capabilities_of(HostConfig(cap_add=["SYS_RESOURCE"]), _POOR)


@pytest.mark.parametrize(
    ("host", "words"),
    [
        (HostConfig(cap_add=["FOO"]), 'invalid CapAdd: unknown capability: "CAP_FOO"'),
        (HostConfig(cap_drop=["bar"]), 'invalid CapDrop: unknown capability: "CAP_BAR"'),
    ],
)
def test_unknown_capabilities_are_told_in_dockers_words(host: HostConfig, words: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        capabilities_of(host, HostFacts())
    assert caught.value.message == words


def test_other_users_keep_only_the_bounding_set() -> None:
    assert capability_sets(["CAP_KILL"], uid=5) == {"bounding": ["CAP_KILL"]}
    assert capability_sets(["CAP_KILL"], uid=0)["effective"] == ["CAP_KILL"]


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("foo", 'invalid --security-opt 1: "foo"'),
        ("foo=bar", 'invalid --security-opt 2: "foo=bar"'),
        ("no-new-privileges=maybe", 'invalid --security-opt 2: "no-new-privileges=maybe"'),
        ("systempaths=x", 'invalid --security-opt 2: "systempaths=x"'),
    ],
)
def test_unknown_options_are_told_in_dockers_words(option: str, words: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_security_options([option])
    assert caught.value.message == words


def test_old_and_new_spellings_mean_the_same() -> None:
    for option in ("no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"):
        assert parse_security_options([option]).no_new_privileges is True
    assert parse_security_options(["seccomp:unconfined"]).seccomp == "unconfined"


def test_labels_and_profiles_that_cannot_be_honoured_are_refused() -> None:
    labels = HostConfig(security_opt=["label=disable", "label:type:x"])
    assert process_security(labels, HostFacts(), no_new_privileges=False)
    with pytest.raises(NotSupportedError, match="label=type:x"):
        process_security(labels, HostFacts(selinux=True), no_new_privileges=False)
    host = HostConfig(security_opt=["apparmor=mine"])
    with pytest.raises(InvalidInputError, match="AppArmor is not enabled"):
        process_security(host, HostFacts(), no_new_privileges=False)
    found = process_security(host, HostFacts(apparmor=True), no_new_privileges=False)
    assert found["apparmorProfile"] == "mine"


def test_seccomp_comes_from_the_container_then_the_engine_then_the_built_in() -> None:
    mine = '{"defaultAction": "SCMP_ACT_ALLOW"}'
    host = HostConfig(security_opt=[f"seccomp={mine}"])
    chosen = seccomp_filter(host, HostFacts(), [], "unconfined")
    assert chosen
    assert chosen["defaultAction"] == "SCMP_ACT_ALLOW"
    assert seccomp_filter(HostConfig(), HostFacts(), [], "unconfined") is None
    built_in = seccomp_filter(HostConfig(), HostFacts(), [], "")
    assert built_in
    assert built_in["defaultAction"] == "SCMP_ACT_ERRNO"
    assert seccomp_filter(HostConfig(), HostFacts(seccomp=False), [], "") is None
    with pytest.raises(InvalidInputError, match="seccomp is not enabled in your kernel"):
        seccomp_filter(host, HostFacts(seccomp=False), [], "")


def test_the_privileged_are_confined_only_by_what_is_named() -> None:
    assert seccomp_filter(HostConfig(privileged=True), HostFacts(), [], "") is None
    named = ['seccomp={"defaultAction": "SCMP_ACT_LOG"}', "apparmor=mine"]
    host = HostConfig(privileged=True, security_opt=named)
    chosen = seccomp_filter(host, HostFacts(), [], "")
    assert chosen
    assert chosen["defaultAction"] == "SCMP_ACT_LOG"
    found = process_security(host, HostFacts(apparmor=True), no_new_privileges=False)
    assert found["apparmorProfile"] == "mine"


def test_paths_are_hidden_unless_somebody_opens_them() -> None:
    facts = HostFacts(thermal_paths=("/sys/devices/system/cpu/cpu0/thermal_throttle",))
    hidden = hidden_paths(HostConfig(), facts)
    assert {"/proc/kcore", "/proc/interrupts", *facts.thermal_paths} <= set(hidden["maskedPaths"])
    assert "/proc/sys" in hidden["readonlyPaths"]
    for opened in (
        HostConfig(privileged=True),
        HostConfig(security_opt=["systempaths=unconfined"]),
        HostConfig(masked_paths=[], readonly_paths=[]),
    ):
        assert hidden_paths(opened, facts) == {"maskedPaths": [], "readonlyPaths": []}
    chosen = hidden_paths(HostConfig(masked_paths=["/a"], readonly_paths=["/b"]), facts)
    assert chosen == {"maskedPaths": ["/a"], "readonlyPaths": ["/b"]}
