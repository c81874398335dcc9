"""The wire's spelling of names."""

from __future__ import annotations

import pytest

from naru.api.wire import wire_name


@pytest.mark.parametrize(
    ("attribute", "name"),
    [
        ("host_config", "HostConfig"),
        ("network_id", "NetworkID"),
        ("dns_search", "DnsSearch"),
        ("ipc_mode", "IpcMode"),
        ("blkio_device_read_iops", "BlkioDeviceReadIOps"),
        ("os", "OS"),
        ("id_", "ID"),
    ],
)
def test_names_are_pascal_case_with_the_schemas_acronyms(attribute: str, name: str) -> None:
    assert wire_name(attribute) == name
