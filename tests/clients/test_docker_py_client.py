"""docker-py, as programs use it."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker import DockerClient
from docker.errors import APIError, ContainerError, ImageNotFound, NotFound
from docker.types import LogConfig, Mount, Ulimit

from harness.archives import busybox_archive, busybox_layer, docker_archive
from harness.engine import LABEL, LABELS, Engine
from harness.waiting import eventually


@pytest.fixture
def client(engine: Engine) -> Iterator[DockerClient]:
    """Give a client of the engine."""
    client = engine.client(timeout=60)
    yield client
    client.close()


def test_run_returns_the_output(client: DockerClient) -> None:
    output = client.containers.run("busybox", "echo hello", labels=LABELS, remove=True)
    assert output == b"hello\n"


def test_run_raises_what_the_process_returned(client: DockerClient) -> None:
    with pytest.raises(ContainerError) as caught:
        client.containers.run(
            "busybox", ["sh", "-c", "echo no >&2; exit 7"], labels=LABELS, remove=True
        )
    assert caught.value.exit_status == 7
    assert caught.value.stderr == b"no\n"


def test_a_container_lives_and_dies(client: DockerClient) -> None:
    container = client.containers.create("busybox", "sleep 1000", labels=LABELS, tty=True)
    assert container.status == "created"
    container.start()
    container.reload()
    assert container.status == "running"
    container.pause()
    container.unpause()
    container.restart(timeout=0)
    container.stop(timeout=0)
    assert container.wait()["StatusCode"] == 137
    container.rename("naru-test-py")
    assert client.containers.get("naru-test-py").id == container.id
    container.remove()
    with pytest.raises(NotFound):
        client.containers.get(container.id)


def test_exec_returns_code_and_both_streams(client: DockerClient) -> None:
    container = client.containers.run("busybox", "sleep 1000", labels=LABELS, detach=True)
    code, (out, err) = container.exec_run(
        ["sh", "-c", "echo out; echo err >&2; exit 4"], demux=True
    )
    assert (code, out, err) == (4, b"out\n", b"err\n")
    code, stream = container.exec_run("seq 1 3", stream=True)
    assert b"".join(stream) == b"1\n2\n3\n"


def test_logs_are_read_and_followed(client: DockerClient) -> None:
    container = client.containers.run(
        "busybox", ["sh", "-c", "echo 1; sleep 0.3; echo 2"], labels=LABELS, detach=True
    )
    assert b"".join(container.logs(stream=True, follow=True)) == b"1\n2\n"
    assert container.logs(tail=1) == b"2\n"
    assert container.logs(stdout=False, stderr=True) == b""


def test_a_socket_is_attached(client: DockerClient) -> None:
    container = client.containers.create(
        "busybox", "cat", labels=LABELS, stdin_open=True, detach=True
    )
    stream = container.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
    container.start()
    raw: socket.socket = stream._sock
    raw.sendall(b"ping\n")
    kind, size = struct.unpack(">BxxxI", raw.recv(8))
    assert (kind, raw.recv(size)) == (1, b"ping\n")
    stream.close()


def test_a_websocket_is_attached(engine: Engine, client: DockerClient) -> None:
    container = client.containers.create("busybox", "cat", labels=LABELS, stdin_open=True, tty=True)
    container.start()
    with socket.socket(socket.AF_UNIX) as stream:
        stream.settimeout(60)
        stream.connect(engine.socket)
        stream.sendall(
            f"GET /v1.41/containers/{container.id}/attach/ws?stream=1&stdin=1&stdout=1 HTTP/1.1\r\n"
            "Host: docker\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Origin: http://localhost\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        head = b""
        while b"\r\n\r\n" not in head:
            head += stream.recv(1)
        assert head.startswith(b"HTTP/1.1 101")
        assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
        mask = b"\x01\x02\x03\x04"
        words = b"ws\n"
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(words))
        stream.sendall(bytes([0x82, 0x80 | len(words)]) + mask + masked)
        seen = b""
        while b"ws\r\n" not in seen:
            seen += stream.recv(64)


def test_lists_heed_filters(client: DockerClient) -> None:
    running = client.containers.run("busybox", "sleep 1000", labels=LABELS, detach=True)
    stopped = client.containers.create("busybox", "true", labels=LABELS)
    mine = {"label": LABEL}
    assert [item.id for item in client.containers.list(filters=mine)] == [running.id]
    everything = client.containers.list(all=True, filters=mine)
    assert {item.id for item in everything} == {running.id, stopped.id}


def test_mounts_limits_and_ports(client: DockerClient, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("from the host\n")
    output = client.containers.run(
        "busybox",
        ["sh", "-c", "cat /mnt/in; ulimit -n; df -k /fast | tail -1 | awk '{print $2}'"],
        labels=LABELS,
        remove=True,
        mounts=[Mount("/mnt", str(tmp_path), type="bind", read_only=True)],
        tmpfs={"/fast": "size=2m"},
        ulimits=[Ulimit(name="nofile", soft=77, hard=88)],
        mem_limit="64m",
        ports={"7000/tcp": ("127.0.0.1", None)},
        log_config=LogConfig(type="json-file", config={"max-size": "1m"}),
    )
    assert output == b"from the host\n77\n2048\n"


def test_top_and_attributes_are_read(client: DockerClient) -> None:
    container = client.containers.run("busybox", "sleep 1234", labels=LABELS, detach=True)
    # For a moment after the start the process is still the runtime's.
    eventually(lambda: container.top()["Processes"][0][-1] == "sleep 1234", "the program shows")
    container.reload()
    assert container.attrs["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
    assert container.image.tags


def test_images_are_loaded_listed_tagged_and_removed(client: DockerClient) -> None:
    name = "naru-test/py:1"
    [image] = client.images.load(docker_archive([name], [busybox_layer()], {"Cmd": ["true"]}))
    assert image.tags == [name]
    assert image.tag("naru-test/py", "2")
    assert name in {tag for item in client.images.list("naru-test/py") for tag in item.tags}
    client.images.remove("naru-test/py:2")
    client.images.remove(name)
    with pytest.raises(ImageNotFound):
        client.images.get(name)


def test_a_missing_image_is_told(client: DockerClient) -> None:
    with pytest.raises(ImageNotFound) as caught:
        client.containers.create("naru-test/none:1", "true")
    assert caught.value.explanation == "No such image: naru-test/none:1"


def test_conflicts_are_told(client: DockerClient) -> None:
    client.containers.create("busybox", "true", name="naru-test-py-name", labels=LABELS)
    with pytest.raises(APIError) as caught:
        client.containers.create("busybox", "true", name="naru-test-py-name", labels=LABELS)
    assert caught.value.status_code == 409
    assert 'Conflict. The container name "/naru-test-py-name" is already in use' in (
        caught.value.explanation
    )


def test_events_are_decoded(client: DockerClient) -> None:
    events = client.events(decode=True, filters={"event": "create", "label": LABEL})
    timer = threading.Timer(0.3, lambda: client.containers.create("busybox", "true", labels=LABELS))
    timer.start()
    assert next(iter(events))["Action"] == "create"
    timer.join()
    events.close()


def test_volumes_are_made_and_removed(client: DockerClient) -> None:
    volume = client.volumes.create("naru-test-py-volume", labels={"a": "b"})
    assert client.volumes.get("naru-test-py-volume").attrs["Labels"] == {"a": "b"}
    volume.remove()
    with pytest.raises(NotFound):
        client.volumes.get("naru-test-py-volume")


def test_the_engine_is_described(client: DockerClient) -> None:
    assert client.ping() is True
    assert client.version()["ApiVersion"]
    assert client.info()["OSType"] == "linux"


def test_old_archives_load_as_bytes(client: DockerClient) -> None:
    assert client.images.load(busybox_archive())
