"""What clients of each API version find in `info`."""

from __future__ import annotations

import pytest

from naru.engine.views.info import info_for, option_name

VIEW = {
    "ContainerdCommit": {"ID": ""},
    "RuncCommit": {"ID": "abc"},
    "InitCommit": {"ID": "de40ad0"},
    "RegistryConfig": {"Mirrors": []},
    "SecurityOptions": ["name=seccomp,profile=builtin", "name=userns"],
    "CDISpecDirs": ["/etc/cdi"],
    "FirewallBackend": {"Driver": "nftables"},
    "DiscoveredDevices": [],
}


def test_the_newest_version_has_everything_as_it_is() -> None:
    assert info_for(VIEW, (1, 50)) == VIEW


@pytest.mark.parametrize(
    ("field", "since"),
    [("DiscoveredDevices", (1, 50)), ("FirewallBackend", (1, 49)), ("CDISpecDirs", (1, 44))],
)
def test_fields_are_there_from_their_version_on(field: str, since: tuple[int, int]) -> None:
    assert field in info_for(VIEW, since)
    assert field not in info_for(VIEW, (1, since[1] - 1))


def test_old_clients_expect_the_commits_that_are_there() -> None:
    assert info_for(VIEW, (1, 48))["RuncCommit"] == {"ID": "abc", "Expected": "abc"}
    assert VIEW["RuncCommit"] == {"ID": "abc"}, "the view itself is left alone"


def test_what_is_gone_is_still_told_to_those_who_knew_it() -> None:
    assert "AllowNondistributableArtifactsCIDRs" in info_for(VIEW, (1, 47))["RegistryConfig"]
    assert "AllowNondistributableArtifactsCIDRs" not in info_for(VIEW, (1, 48))["RegistryConfig"]
    assert info_for(VIEW, (1, 48))["BridgeNfIptables"] is False
    assert info_for(VIEW, (1, 24))["ExecutionDriver"] == "<not supported>"
    assert info_for(VIEW, (1, 24))["SecurityOptions"] == ["seccomp", "userns"]
    assert info_for(VIEW, (1, 25))["SecurityOptions"] == VIEW["SecurityOptions"]


def test_options_have_names() -> None:
    assert option_name("name=apparmor") == "apparmor"
