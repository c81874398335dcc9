"""Flags and file become one configuration, or a clear refusal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from naru.daemon.config import load_config
from naru.daemon.flags import SETTINGS
from naru.daemon.settings import DaemonConfig
from naru.errors import InvalidInputError, NaruError, NotSupportedError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "daemon.json"


def load(file: Path, *flags: str, **content: Any) -> DaemonConfig:
    file.write_text(json.dumps(content))
    return load_config([f"--config-file={file}", *flags], version="1")


def test_nothing_means_the_defaults(file: Path) -> None:
    config = load(file)
    assert config.hosts == ("unix:///run/naru.sock",)
    assert (config.data_root, config.exec_root) == ("/var/lib/naru", "/run/naru")
    assert (config.pidfile, config.bridge) == ("/run/naru.pid", "naru0")
    assert config.icc
    assert not config.debug
    assert config.default_shm_size == 64 << 20
    assert (config.max_concurrent_downloads, config.max_download_attempts) == (3, 5)
    assert (config.max_concurrent_uploads, config.push_compression) == (5, "gzip")


def test_a_missing_file_is_fine_unless_it_was_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidInputError, match="no such file or directory"):
        load_config([f"--config-file={tmp_path}/none"], version="1")
    monkeypatch.setattr("naru.daemon.config._default", lambda _: f"{tmp_path}/none")
    assert load_config([], version="1").mtu == 1500


def test_flags_have_dockerds_names_and_short_forms(file: Path) -> None:
    flags = "-H unix:///a -H tcp://1.2.3.4:5 -D -l warn -b br9 -p /p -G wheel -s overlay2"
    config = load(file, *flags.split())
    assert config.hosts == ("unix:///a", "tcp://1.2.3.4:5")
    assert config.debug
    assert (config.log_level, config.bridge, config.pidfile) == ("warn", "br9", "/p")
    assert (config.group, config.storage_driver) == ("wheel", "overlay2")


def test_the_file_has_dockerds_keys(file: Path) -> None:
    config = load(
        file,
        **{
            "hosts": ["unix:///a"],
            "debug": True,
            "log-opts": {"max-size": "5m", "max-file": "2"},
            "insecure-registries": ["10.0.0.0/8"],
            "registry-mirrors": ["https://mirror.example"],
            "runtimes": {"slow": {"path": "/usr/bin/slow"}},
            "default-address-pools": [{"base": "10.9.0.0/16", "size": 24}],
            "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 10, "Hard": 20}},
            "default-shm-size": "128M",
            "dns": ["9.9.9.9"],
            "mtu": 1400,
        },
    )
    assert config.log_opt == ("max-size=5m", "max-file=2")
    assert config.add_runtime == ("slow=/usr/bin/slow",)
    assert config.default_address_pool == ("base=10.9.0.0/16,size=24",)
    assert config.default_ulimit == ("nofile=10:20",)
    assert config.default_shm_size == 128 << 20
    assert (config.debug, config.mtu, config.dns) == (True, 1400, ("9.9.9.9",))


@pytest.mark.parametrize(
    ("flags", "content", "shown"),
    [
        (["-D"], {"debug": False}, "debug: (from flag: true, from file: false)"),
        (
            ["--label=a=b", "--label=c=d"],
            {"labels": ["e=f"]},
            "labels: (from flag: [a=b c=d], from file: [e=f])",
        ),
        (["--mtu=1400"], {"mtu": 1300}, "mtu: (from flag: 1400, from file: 1300)"),
        (
            ["-H=unix:///a"],
            {"hosts": ["unix:///a"]},
            "hosts: (from flag: [unix:///a], from file: [unix:///a])",
        ),
    ],
)
def test_a_setting_stands_in_one_place(
    file: Path, flags: list[str], content: dict[str, Any], shown: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        load(file, *flags, **content)
    assert caught.value.message == (
        "the following directives are specified both as a flag and in the configuration file: "
        + shown
    )


def test_mirrors_are_a_list_for_docker_hub_or_lists_by_registry(file: Path) -> None:
    mirrors = {"docker.io": ["https://a.lan"], "ghcr.io": ["https://b.lan/x", "http://c.lan"]}
    assert load(file, **{"registry-mirrors": mirrors}).registry_mirror == (
        "docker.io=https://a.lan",
        "ghcr.io=https://b.lan/x",
        "ghcr.io=http://c.lan",
    )
    for entry in ("https://b.lan", ["https://b.lan", 1], None):
        with pytest.raises(InvalidInputError, match=r"^registry-mirrors of ghcr.io must be a list"):
            load(file, **{"registry-mirrors": {"ghcr.io": entry}})
    with pytest.raises(InvalidInputError, match=r'^invalid mirror: "no/host" in "no/host=https:'):
        load(file, **{"registry-mirrors": {"no/host": ["https://b.lan"]}})


def test_proxies_stand_in_an_object_of_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {"http-proxy": "http://a:1", "https-proxy": "b:2", "no-proxy": "c"}
    config = load(file, proxies=found)
    assert (config.http_proxy, config.https_proxy, config.no_proxy) == ("http://a:1", "b:2", "c")
    config = load(file, "--https-proxy=d:4", proxies={"no-proxy": "c"})
    assert (config.https_proxy, config.no_proxy) == ("d:4", "c")
    flag = "--https-proxy=http://me:secret@d"
    with pytest.raises(InvalidInputError) as caught:
        load(file, flag, proxies={"https-proxy": "http://me:secret@e"})
    assert caught.value.message.endswith(
        ": https-proxy: (from flag: http://xxxxx:xxxxx@d, from file: http://xxxxx:xxxxx@e)"
    )
    for content in ({"proxies": {"ftp-proxy": "x"}}, {"proxies.no-proxy": "x"}, {"proxies": "x"}):
        with pytest.raises(InvalidInputError, match="match any configuration option: proxies"):
            load(file, **content)
    monkeypatch.setenv("HTTPS_PROXY", "socks5://me:secret@d")
    with pytest.raises(InvalidInputError, match=r"^invalid https-proxy 'socks5://xxxxx:xxxxx@d'"):
        load(file)


def test_runtimes_have_options_of_their_own(file: Path) -> None:
    config = load(file, runtimes={"a": {"path": "/a", "runtimeArgs": ["--debug", "-x y"]}})
    assert config.add_runtime == ("a=/a\0--debug\0-x y",)


def test_runtimes_of_both_places_are_taken(file: Path) -> None:
    config = load(file, "--add-runtime=b=/b", runtimes={"a": {"path": "/a"}})
    assert config.add_runtime == ("a=/a", "b=/b")


def test_unknown_keys_and_flags_are_refused(file: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"don't match any configuration option: no-such$"):
        load(file, **{"no-such": 1})
    with pytest.raises(InvalidInputError, match="--no-such"):
        load(file, "--no-such=1")
    with pytest.raises(InvalidInputError, match="swarm-default-advertise-addr"):
        load(file, "--swarm-default-advertise-addr=x")


def test_a_file_that_is_no_json_is_named(file: Path) -> None:
    file.write_text("{")
    with pytest.raises(InvalidInputError, match=str(file)):
        load_config([f"--config-file={file}"], version="1")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("debug", "true"),
        ("mtu", "1400"),
        ("mtu", True),
        ("hosts", "unix:///a"),
        ("hosts", [1]),
        ("log-opts", ["a=b"]),
        ("bridge", 5),
        ("default-address-pools", [{"base": "10.0.0.0/8"}]),
        ("default-address-pools", ["10.0.0.0/8"]),
        ("runtimes", {"x": {"runtimeType": "io.containerd.runc.v2"}}),
        ("runtimes", {"x": {"path": "/x", "runtimeArgs": "--debug"}}),
        ("default-ulimits", {"nofile": 5}),
        ("default-shm-size", [1]),
    ],
)
def test_values_of_the_wrong_kind_are_refused(file: Path, key: str, value: object) -> None:
    with pytest.raises(InvalidInputError):
        load(file, **{key: value})


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--log-level=loud", "invalid logging level: loud"),
        ("--mtu=x", "--mtu takes a whole number, got 'x'"),
        ("--mtu=20", "invalid mtu: 20"),
        (
            "--default-ipc-mode=host",
            'IPC mode "host" is not supported as default value for the engine',
        ),
        (
            "--default-cgroupns-mode=x",
            'cgroupns mode "x" is not supported as default value for the engine',
        ),
        ("--icc=maybe", "--icc takes true or false, got 'maybe'"),
        ("--dns=1.2.3", "1.2.3 is not an ip address"),
        ("--ip=host", "host is not an ip address"),
        ("--bip=10.0.0.1", "invalid CIDR address: 10.0.0.1"),
        ("--bridge=a-name-that-is-too-long", "invalid bridge name: a-name-that-is-too-long"),
        ("--label=x", "bad attribute format: x"),
        ("--default-ulimit=nofile", "invalid ulimit argument: nofile"),
        ("--max-concurrent-downloads=0", "invalid max concurrent downloads: 0"),
        ("--max-concurrent-uploads=0", "invalid max concurrent uploads: 0"),
        (
            "--push-compression=xz",
            'invalid push compression: "xz": expected gzip or zstd',
        ),
        ("--max-download-attempts=0", "invalid max download attempts: 0"),
        ("--host=/run/x.sock", "unable to parse host '/run/x.sock': expected PROTOCOL://ADDRESS"),
        ("--default-shm-size=lots", "invalid size: 'lots'"),
        (
            "--log-opt=max-width=3",
            "failed to set log opts: unknown log opt 'max-width' for json-file log driver",
        ),
        (
            "--log-driver=papyrus",
            "failed to set log opts: logger: no log driver named 'papyrus' is registered",
        ),
    ],
)
def test_values_that_cannot_be_are_refused(file: Path, flag: str, message: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        load(file, flag)
    assert caught.value.message == message


@pytest.mark.parametrize(
    "flag",
    [
        "--default-address-pool=base=10.0.0.0/16",
        "--default-address-pool=base=10.0.0.0/16,size=8",
        "--default-address-pool=base=10.0.0.0/16,size=31",
        "--default-address-pool=base=fd00::/40,size=127",
        "--default-address-pool=base=fd00::/40,size=x",
        "--insecure-registry=10.0.0.0/99",
        "--registry-mirror=nothing",
    ],
)
def test_malformed_lists_are_refused(file: Path, flag: str) -> None:
    with pytest.raises(NaruError):
        load(file, flag)


@pytest.mark.parametrize(
    "flag",
    ["--live-restore=false", "--storage-driver=btrfs", "--bridge=none"],
)
def test_what_this_engine_does_not_do_is_refused(file: Path, flag: str) -> None:
    with pytest.raises(NotSupportedError):
        load(file, flag)


def test_plain_tcp_must_be_asked_for_by_name(file: Path) -> None:
    assert not load(file).tls_was_named
    assert load(file, "--tls=false").tls_was_named
    assert load(file, tlsverify=False).tls_was_named


def test_paths_become_absolute(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    config = load(file, "--data-root=d", "--exec-root=e", "--pidfile=p")
    folder = file.parent
    assert config.data_root == str(folder / "d")
    assert (config.exec_root, config.pidfile) == (str(folder / "e"), str(folder / "p"))


def test_help_names_every_flag(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        load_config(["--help"], version="1")
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert all(f"--{setting.flag}" in text for setting in SETTINGS)


def test_help_tells_defaults(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        load_config(["--help"], version="1")
    text = " ".join(capsys.readouterr().out.split())
    for shown in (
        'Where everything lasting is kept (default "/var/lib/naru")',
        "Size of /dev/shm (default 64MiB)",
        "specifications of devices (default [/etc/cdi, /var/run/cdi])",
        "Switch on IP forwarding (default true)",
        "Where to listen: unix://PATH, tcp://HOST:PORT or fd:// (default unix:///run/naru.sock)",
        "MTU of the bridge (default 1500)",
        "Give the default network IPv6 --label",
    ):
        assert shown in text


def test_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        load_config(["--version"], version="1.2.3")
    assert "1.2.3" in capsys.readouterr().out
