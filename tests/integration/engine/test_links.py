"""Links on the default network: hosts, variables, names, and their end."""

from __future__ import annotations

from harness.engine import Engine


def test_a_link_tells_where_the_other_is_and_what_it_offers(engine: Engine) -> None:
    target = engine.up(Env=["SECRET=1"], ExposedPorts={"80/tcp": {}}, Hostname="hosty")
    name = engine.inspect(target)["Name"].removeprefix("/")
    address = engine.inspect(target)["NetworkSettings"]["IPAddress"]
    container = engine.up(host={"Links": [f"{name}:db"]})
    own = engine.inspect(container)["Name"]
    assert engine.inspect(container)["HostConfig"]["Links"] == [f"/{name}:{own}/db"]
    env = engine.exec(container, "env").out.splitlines()
    assert f"DB_PORT_80_TCP=tcp://{address}:80" in env
    assert f"DB_NAME={own}/db" in env
    assert "DB_ENV_SECRET=1" in env
    assert f"{address}\tdb hosty {name}\n" in engine.exec(container, "cat", "/etc/hosts").out
    query = {"filters": {"id": [target]}}
    [listed] = engine.api("GET", "/containers/json", query=query).ok(200).json()
    assert sorted(listed["Names"]) == sorted([f"/{name}", f"{own}/db"])
    by_link = engine.api("GET", f"/containers{own}/db/json").ok(200).json()
    assert by_link["Id"] == target


def test_a_link_follows_the_other_and_may_be_removed(engine: Engine) -> None:
    target = engine.up(Hostname="hosty")
    name = engine.inspect(target)["Name"].removeprefix("/")
    container = engine.up(host={"Links": [f"{name}:db"]})
    own = engine.inspect(container)["Name"]
    engine.api("POST", f"/containers/{target}/stop", query={"t": 0}).ok(204)
    thief = engine.up()
    engine.start(target)
    address = engine.inspect(target)["NetworkSettings"]["IPAddress"]
    assert address != engine.inspect(thief)["NetworkSettings"]["IPAddress"]
    assert f"{address}\tdb hosty {name}\n" in engine.exec(container, "cat", "/etc/hosts").out
    engine.api("DELETE", f"/containers{own}/db", query={"link": True}).ok(204)
    assert "\tdb " not in engine.exec(container, "cat", "/etc/hosts").out
    assert not engine.inspect(container)["HostConfig"]["Links"]
    assert engine.state(target)["Running"], "only the link is gone"
    plain = engine.api("DELETE", f"/containers/{target}", query={"link": True})
    assert plain.status == 500
    assert "cannot remove the default link name of the container" in plain.message


def test_links_to_nobody_are_refused(engine: Engine) -> None:
    answer = engine.ask_to_create(host={"Links": ["naru-nosuch:x"]})
    assert answer.status == 400
    assert answer.message == (
        "could not get container for naru-nosuch: No such container: naru-nosuch"
    )
    target = engine.create("true")
    name = engine.inspect(target)["Name"]
    container = engine.create("true", host={"Links": [f"{name.removeprefix('/')}:db"]})
    answer = engine.api("POST", f"/containers/{container}/start")
    own = engine.inspect(container)["Name"]
    assert answer.status == 500
    assert f"Cannot link to a non running container: {name} AS {own}/db" in answer.message
