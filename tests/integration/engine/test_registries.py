"""The way to registries: mirrors, proxies, certificates, and settings that change meanwhile."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.archives import telling_archive
from harness.narud import EngineUnderTest
from harness.proxy import Proxy
from harness.registry import PASSWORD, USER, Registry, serving
from harness.requirements import requires
from harness.waiting import eventually

pytestmark = [
    requires("root", "docker", "docker-registry", "skopeo"),
    pytest.mark.naru_only,
]
# Names that only the proxy knows; none of them is loopback to the engine.
_SECURE, _PLAIN, _PICKY = "secure.test:443", "plain.test:5000", "picky.test:443"
_LOGIN = "Basic bWU6c2VjcmV0"


@dataclass
class World:
    """An engine, a proxy, and registries behind it."""

    engine: EngineUnderTest
    proxy: Proxy
    secure: Registry
    picky: Registry
    certificates: Path

    def pull(self, image: str, *, headers: dict[str, str] | None = None) -> str:
        """Pull anew; return what went wrong, "" for nothing."""
        self.engine.docker("rmi", "-f", image)
        query = {"fromImage": image, "tag": "1"}
        answer = self.engine.api("POST", "/images/create", query=query, headers=headers or {})
        if answer.status != 200:
            return answer.message
        last = json.loads(answer.body.splitlines()[-1])
        return str(last.get("error", ""))

    def reload(self, **settings: Any) -> dict[str, str]:
        """Change daemon.json, and return what the engine tells of it."""
        path = self.engine.root / "daemon.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | settings))
        since = f"{time.time():.9f}"
        os.kill(self.engine.pid, signal.SIGHUP)

        def told() -> list[str]:
            until = f"{time.time():.9f}"
            words = ["events", "--since", since, "--until", until, "--filter", "event=reload"]
            return self.engine.docker(*words, "--format", "{{json .Actor.Attributes}}").lines()

        [line] = eventually(told, "the engine reloads")
        found: dict[str, str] = json.loads(line)
        return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if os.environ.get("NARU_TEST_SOCKET"):
        pytest.skip("needs an engine of its own")
    certificates = tmp_path_factory.mktemp("certs.d")
    images = {"team/x:1": telling_archive("origin")}
    with (
        serving(images, tls=True, host="secure.test") as secure,
        serving(images, tls=True, host="picky.test", client_certificates=True) as picky,
        serving(images) as plain,
    ):
        addresses = {_SECURE: secure.address, _PICKY: picky.address, _PLAIN: plain.address}
        with Proxy(addresses, _LOGIN).running() as proxy:
            through = f"http://me:secret@{proxy.address}"
            engine = EngineUnderTest(f"--registry-certs-dir={certificates}")
            settings = {
                "proxies": {"http-proxy": through, "https-proxy": through, "no-proxy": "x.test"},
                "insecure-registries": [_PLAIN],
            }
            (engine.root / "daemon.json").write_text(json.dumps(settings))
            try:
                secure.trust(certificates, _SECURE)
                engine.start_engine()
                yield World(engine, proxy, secure, picky, certificates)
            finally:
                engine.destroy()


def test_https_is_tunnelled_and_certificates_are_read_when_they_are_needed(world: World) -> None:
    world.proxy.asked.clear()
    image = f"{_SECURE}/team/x"
    shutil.rmtree(world.certificates / _SECURE)
    assert world.pull(image) == (
        f'Get "https://{_SECURE}/v2/": tls: failed to verify certificate: x509: certificate '
        "signed by unknown authority"
    )
    world.secure.trust(world.certificates, _SECURE)
    assert world.pull(image) == ""
    assert set(world.proxy.asked) == {f"CONNECT {_SECURE}"}


def test_a_client_certificate_is_shown_to_who_wants_one(world: World) -> None:
    image = f"{_PICKY}/team/x"
    folder = world.picky.trust(world.certificates, _PICKY)
    (folder / "client.cert").rename(folder / "client.old")
    assert world.pull(image).startswith(f'Get "https://{_PICKY}/v2/": remote error: tls: ')
    (folder / "client.old").rename(folder / "client.cert")
    assert world.pull(image) == ""


def test_plain_http_goes_through_its_proxy_where_a_registry_is_insecure(world: World) -> None:
    world.proxy.asked.clear()
    assert world.pull(f"{_PLAIN}/team/x") == ""
    assert f"GET http://{_PLAIN}/v2/" in world.proxy.asked


@requires("git")
def test_what_builds_fetch_goes_through_the_proxy(world: World) -> None:
    world.proxy.asked.clear()
    query = {"remote": "http://code.test/x.git", "version": "1"}
    refused = world.engine.api("POST", "/build", query=query)
    assert "502" in refused.body.decode()
    first = "GET http://code.test/x.git/info/refs?service=git-upload-pack"
    assert world.proxy.asked[0] == first
    fetched = world.engine.docker("build", "-", stdin="FROM scratch\nADD http://code.test/f /\n")
    assert fetched.code == 1
    assert world.proxy.asked[-1] == "GET http://code.test/f"


def test_whom_no_proxy_names_is_asked_directly(world: World) -> None:
    world.proxy.asked.clear()
    assert world.pull("x.test/team/x") == (
        'Get "https://x.test/v2/": dial tcp: lookup x.test: no such host'
    )
    assert world.proxy.asked == []


def test_a_proxy_that_does_not_let_us_through_is_told(world: World) -> None:
    login, world.proxy.login = world.proxy.login, "Basic nobody"
    try:
        refused = world.pull("unknown.test/team/x")
    finally:
        world.proxy.login = login
    assert refused == 'Get "https://unknown.test/v2/": Proxy Authentication Required'
    assert world.pull("unknown.test/team/x") == 'Get "https://unknown.test/v2/": Bad Gateway'


def test_mirrors_change_while_the_engine_runs(world: World) -> None:
    with (
        serving({"library/x:1": telling_archive("hub")}) as hub,
        serving({"team/x:1": telling_archive("mirror")}) as mirror,
    ):
        mirrors = {
            "docker.io": [hub.url],
            _SECURE: ["http://127.0.0.1:1", mirror.url],
            "*": [mirror.url],
        }
        told = world.reload(
            **{"registry-mirrors": mirrors, "insecure-registries": [_PLAIN, "10.0.0.0/8"]}
        )
        assert json.loads(told["insecure-registries"]) == [_PLAIN, "10.0.0.0/8"]
        assert f"{_SECURE}={mirror.url}" in json.loads(told["registry-mirrors"])
        run = world.engine.docker
        for image, whose in (
            ("x:1", "hub"),
            (f"{_SECURE}/team/x:1", "mirror"),
            ("elsewhere.test/team/x:1", "mirror"),
        ):
            run("rmi", "-f", image)
            assert run("run", "--rm", image).ok().out == whose
        built = run("build", "-q", "-", stdin="FROM elsewhere.test/team/x:1\n").ok()
        assert run("run", "--rm", built.out.strip()).ok().out == "mirror"
        config = world.engine.api("GET", "/info").json()["RegistryConfig"]
        assert config["Mirrors"] == [f"{hub.url}/"]
        assert config["InsecureRegistryCIDRs"] == ["::1/128", "127.0.0.0/8", "10.0.0.0/8"]
        assert config["IndexConfigs"] == {
            "docker.io": _index("docker.io", f"{hub.url}/"),
            _SECURE: _index(_SECURE, "http://127.0.0.1:1/", f"{mirror.url}/"),
            "*": _index("*", f"{mirror.url}/"),
            _PLAIN: _index(_PLAIN) | {"Secure": False},
        }
    world.reload(**{"registry-mirrors": []})
    assert world.engine.api("GET", "/info").json()["RegistryConfig"]["Mirrors"] == []


def test_a_mirror_sees_only_the_login_that_is_for_it(world: World) -> None:
    with serving({"team/x:1": telling_archive("mirror")}, basic=True) as mirror:
        world.reload(**{"registry-mirrors": {_SECURE: [mirror.url]}})
        login = {"username": USER, "password": PASSWORD}
        for server, whose in (("", "origin"), (_SECURE, "origin"), (mirror.address, "mirror")):
            text = json.dumps({**login, "serveraddress": server})
            header = {"X-Registry-Auth": base64.urlsafe_b64encode(text.encode()).decode()}
            assert world.pull(f"{_SECURE}/team/x", headers=header) == ""
            run = world.engine.docker
            assert run("run", "--rm", f"{_SECURE}/team/x:1").ok().out == whose
            run("rmi", "-f", f"{_SECURE}/team/x:1").ok()
            dockerfile = f"FROM {_SECURE}/team/x:1\n"
            path = Path(world.engine.config_dir, "config.json")
            auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            path.write_text(json.dumps({"auths": {server: {"auth": auth}} if server else {}}))
            built = run("build", "-q", "-", stdin=dockerfile).ok().out.strip()
            path.unlink()
            assert run("run", "--rm", built).ok().out == whose
    world.reload(**{"registry-mirrors": []})


def test_info_shows_proxies_without_their_logins(world: World) -> None:
    info = world.engine.api("GET", "/info").json()
    shown = f"http://xxxxx:xxxxx@{world.proxy.address}"
    assert (info["HttpProxy"], info["HttpsProxy"], info["NoProxy"]) == (shown, shown, "x.test")


def _index(name: str, *mirrors: str) -> dict[str, Any]:
    return {
        "Name": name,
        "Mirrors": list(mirrors),
        "Secure": True,
        "Official": name == "docker.io",
    }
