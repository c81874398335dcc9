"""Kernel settings that are the container's own, and those that are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from naru.api.container_config import ContainerConfig
from naru.api.host_config import HostConfig
from naru.errors import InvalidInputError
from naru.specgen.namespaces import namespaces, sysctls

_NETNS = Path("/run/netns/x")


def test_settings_of_private_namespaces_pass() -> None:
    host = HostConfig(
        sysctls={"kernel.shmmax": "1", "fs.mqueue.msg_max": "2", "net.core.somaxconn": "3"}
    )
    found = sysctls(ContainerConfig(), host, _NETNS)
    assert found["net.core.somaxconn"] == "3"
    assert found["fs.mqueue.msg_max"] == "2"


def test_a_joined_network_keeps_its_settings() -> None:
    assert sysctls(ContainerConfig(), HostConfig(network_mode="container:x"), _NETNS) == {}


@pytest.mark.parametrize(
    ("name", "host", "netns", "words"),
    [
        ("net.a", HostConfig(), None, 'sysctl "net.a" not allowed in host network namespace'),
        (
            "kernel.sem",
            HostConfig(ipc_mode="host"),
            _NETNS,
            'sysctl "kernel.sem" is not allowed in the hosts ipc namespace',
        ),
        (
            "kernel.hostname",
            HostConfig(),
            _NETNS,
            'sysctl "kernel.hostname" is not allowed as it conflicts with the OCI "hostname" field',
        ),
        (
            "kernel.domainname",
            HostConfig(uts_mode="host"),
            _NETNS,
            'sysctl "kernel.domainname" is not allowed in the hosts UTS namespace',
        ),
        (
            "vm.swappiness",
            HostConfig(),
            _NETNS,
            'sysctl "vm.swappiness" is not in a separate kernel namespace',
        ),
        (
            "kernel/panic",
            HostConfig(),
            _NETNS,
            'sysctl "kernel/panic" is not in a separate kernel namespace',
        ),
    ],
)
def test_settings_of_the_host_are_refused(
    name: str, host: HostConfig, netns: Path | None, words: str
) -> None:
    host.sysctls = {name: "1"}
    with pytest.raises(InvalidInputError) as caught:
        sysctls(ContainerConfig(), host, netns)
    assert caught.value.message == words


def test_a_mount_namespace_is_always_new() -> None:
    host = HostConfig(pid_mode="host", ipc_mode="host", uts_mode="host")
    assert namespaces(host, netns_path=None, pid_namespace=None, ipc_namespace=None) == [
        {"type": "mount"}
    ]
