"""The engine killed while it builds: its successor finds nothing of the build."""

from __future__ import annotations

from harness.archives import BUSYBOX, Tree
from harness.narud import EngineUnderTest
from harness.requirements import requires
from harness.wire import UnixConnection, send, target

pytestmark = requires("root", "crun", "conmon", "nft")


def test_a_build_does_not_outlive_its_engine(own_engine: EngineUnderTest) -> None:
    engine = own_engine
    before = engine.footprint()
    dockerfile = (
        f"FROM {BUSYBOX}\nRUN --mount=type=bind,source=f,target=/f echo begun; sleep 1000\n"
    )
    body = Tree().file("Dockerfile", dockerfile).file("f", "x").tar()
    connection = UnixConnection(engine.socket, 60)
    response = send(connection, "POST", target("/build", {}, engine.version), body)
    while b"begun" not in response.readline():
        pass
    assert list((engine.data_root / "builds").iterdir())
    engine.kill9()
    connection.close()
    engine.start_engine()
    assert engine.api("GET", "/containers/json", query={"all": True}).ok(200).json() == []
    engine.comes_back_to(before, "a build")
    answer = engine.api("POST", "/build", Tree().file("Dockerfile", f"FROM {BUSYBOX}").tar())
    assert b"Successfully built" in answer.ok(200).body
