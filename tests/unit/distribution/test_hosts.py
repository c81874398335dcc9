"""Where a registry is reached."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from naru.distribution.hosts import HostsConfig
from naru.errors import InvalidInputError


def urls(config: HostsConfig, registry: str) -> list[str]:
    return [endpoint.base_url for endpoint in config.endpoints(registry)]


def test_docker_hub_has_its_own_address() -> None:
    assert urls(HostsConfig(), "docker.io") == ["https://registry-1.docker.io"]


def test_other_registries_are_their_own_address_over_https_only() -> None:
    assert urls(HostsConfig(), "ghcr.io:8443") == ["https://ghcr.io:8443"]


@pytest.mark.parametrize("host", ["127.0.0.1:5000", "127.9.9.9", "localhost:5000", "[::1]:5000"])
def test_loopback_falls_back_to_http(host: str) -> None:
    assert urls(HostsConfig(), host) == [f"https://{host}", f"http://{host}"]


@pytest.mark.parametrize(
    ("entry", "host", "insecure"),
    [
        ("hub.lan", "hub.lan", True),
        ("hub.lan", "hub.lan:5000", True),
        ("hub.lan:5000", "hub.lan:5000", True),
        ("hub.lan:5000", "hub.lan:5001", False),
        ("hub.lan:5000", "hub.lan", False),
        ("10.0.0.0/8", "10.1.2.3:5000", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.0/8", "ten.lan", False),
        ("fd00::/8", "[fd00::1]:5000", True),
    ],
)
def test_only_listed_hosts_and_subnets_are_insecure(entry: str, host: str, insecure: bool) -> None:
    assert HostsConfig(insecure_registries=(entry,)).is_insecure(host) is insecure


def test_mirror_without_registry_is_for_docker_hub_only() -> None:
    config = HostsConfig(mirrors=("https://mirror.lan/",))
    assert urls(config, "docker.io")[0] == "https://mirror.lan"
    assert urls(config, "ghcr.io") == ["https://ghcr.io"]


def test_any_registry_may_have_mirrors_in_order() -> None:
    config = HostsConfig(mirrors=("ghcr.io=https://a.lan/x", "ghcr.io=http://b.lan"))
    found = config.endpoints("ghcr.io")
    assert [e.base_url for e in found] == ["https://a.lan/x", "http://b.lan", "https://ghcr.io"]
    assert [e.is_mirror for e in found] == [True, True, False]


def test_a_mirror_of_all_registries_is_told_which_one_it_stands_in_for() -> None:
    config = HostsConfig(mirrors=("*=https://all.lan/c", "ghcr.io=https://a.lan"))
    [mirror, _] = config.endpoints("quay.io")
    assert (mirror.base_url, mirror.namespace, mirror.is_mirror) == (
        "https://all.lan/c",
        "quay.io",
        True,
    )
    assert [mirror.namespace for mirror in config.mirrors_of("docker.io")] == ["docker.io"]
    assert urls(config, "ghcr.io") == ["https://a.lan", "https://ghcr.io"]
    assert config.mirrors_of("ghcr.io")[0].namespace == ""
    assert urls(config, "127.0.0.1:5000")[0] == "https://127.0.0.1:5000"
    assert config.mirrors_of("localhost") == []


def test_mirrors_are_listed_by_registry_as_dockerd_lists_them() -> None:
    mirrors = ("https://a.lan", "ghcr.io=https://b.lan/x/", "docker.io=http://c.lan")
    assert HostsConfig(mirrors=mirrors).mirrored() == {
        "docker.io": ["https://a.lan/", "http://c.lan/"],
        "ghcr.io": ["https://b.lan/x/"],
    }


@pytest.mark.parametrize(
    ("mirror", "problem"),
    [
        ("mirror.lan", "no scheme specified for \"mirror.lan\": must use either 'https://' or"),
        ("mirror.lan:5000", 'no scheme specified for "mirror.lan:5000"'),
        ("ftp://mirror.lan", 'unsupported scheme "ftp" in "ftp://mirror.lan": must use either'),
        ("https://", '"https://" is not a valid URI: no host'),
        ("https://[::1", '"https://[::1" is not a valid URI'),
        ("https://a/?x=1", 'query or fragment at end of the URI "https://a/?x=1"'),
        ("https://u:p@a", 'username/password not allowed in URI "https://u:xxxxx@a"'),
        ("a/b=https://a", '"a/b" in "a/b=https://a" is no registry'),
        ("=https://a", '"" in "=https://a" is no registry'),
    ],
)
def test_bad_mirrors_are_refused_by_name(mirror: str, problem: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        HostsConfig(mirrors=(mirror,))
    assert caught.value.message.startswith(f"invalid mirror: {problem}")


@pytest.mark.parametrize("entry", ["http://a", "10.0.0.0/99"])
def test_bad_insecure_registries_are_refused(entry: str) -> None:
    with pytest.raises(InvalidInputError):
        HostsConfig(insecure_registries=(entry,))


def test_certificates_are_checked_unless_the_host_is_insecure() -> None:
    config = HostsConfig(insecure_registries=("hub.lan",))
    insecure = config.tls_context(config.endpoints("hub.lan")[0])
    secure = config.tls_context(config.endpoints("ghcr.io")[0])
    assert insecure.verify_mode is ssl.CERT_NONE
    assert secure.verify_mode is ssl.CERT_REQUIRED


def test_unusable_certificate_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "hub.lan:5000"
    folder.mkdir()
    (folder / "ca.crt").write_text("no certificate")
    config = HostsConfig(certificates=tmp_path)
    with pytest.raises(InvalidInputError, match=r"hub\.lan:5000"):
        config.tls_context(config.endpoints("hub.lan:5000")[0])


def test_the_files_of_an_endpoint_tell_when_its_certificates_change(tmp_path: Path) -> None:
    config = HostsConfig(certificates=tmp_path)
    [endpoint] = config.endpoints("hub.lan:5000")
    assert config.certificate_files(endpoint) == ()
    folder = tmp_path / "hub.lan:5000"
    folder.mkdir()
    (folder / "ca.crt").write_text("one")
    first = config.certificate_files(endpoint)
    assert [name for name, _, _ in first] == ["ca.crt"]
    (folder / "ca.crt").write_text("another")
    assert config.certificate_files(endpoint) != first
